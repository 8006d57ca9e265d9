import type { ErrorDefinition } from '../errors.ts'

/** Starting, running and the command line. */
export const runtimeErrors = {
  'run.address_in_use': {
    status: 500,
    title: 'Address already in use',
    source: 'operator',
    retryable: true,
    todo: 'Stop the other process or choose another address with `--listen` or `--admin`.',
  },
  'run.address_invalid': {
    status: 500,
    title: 'Address is not HOST:PORT',
    source: 'operator',
    retryable: false,
    todo: 'Write for example `127.0.0.1:8080` or `[::1]:8080`.',
  },
  'run.listen_failed': {
    status: 500,
    title: 'Cannot listen on the address',
    source: 'operator',
    retryable: true,
    todo: 'Check that the address belongs to this machine and that the port is allowed to this user.',
  },
  'run.admin_exposed': {
    status: 500,
    title: 'Admin address reachable from outside without an owner token',
    source: 'operator',
    retryable: false,
    todo: 'Bind `--admin` to 127.0.0.1, or set HEADGATE_OWNER_TOKEN to a token of 32 characters or more.',
  },
  'run.data_dir_unusable': {
    status: 500,
    title: 'Data folder cannot be used',
    source: 'operator',
    retryable: true,
    todo: 'Check path and permissions, or choose another with `--data`.',
  },
  'run.data_dir_locked': {
    status: 500,
    title: 'Data folder is in use by another Headgate',
    source: 'operator',
    retryable: true,
    todo: 'Stop the other process or give this one its own folder with `--data`.',
  },
  'run.worker_failed': {
    status: 500,
    title: 'A worker cannot start',
    source: 'gateway',
    retryable: true,
    todo: 'The cause is in the log; if it repeats, start with `--workers 1` and report it.',
  },
  'store.failed': {
    status: 500,
    title: 'The store cannot be read or written',
    source: 'operator',
    retryable: true,
    todo: 'Check disk space and permissions of the data folder.',
  },
  'cli.usage': {
    status: 400,
    title: 'The command is not used correctly',
    source: 'client',
    retryable: false,
    todo: 'See `headgate <command> --help`.',
  },
  'cli.server_unreachable': {
    status: 503,
    title: 'No gateway answers at the admin address',
    source: 'operator',
    retryable: true,
    todo: 'Start it with `headgate run`, or name its address with `--server` or HEADGATE_SERVER.',
  },
} as const satisfies Record<string, ErrorDefinition>
