/** Flags that `run` and `demo` share: where to listen. */
import { messageOf } from '../base/errors.ts'
import { parseHostPort } from '../base/host-port.ts'
import { s } from '../base/schema.ts'
import type { OptionDefinition } from './define-command.ts'

/** `HOST:PORT`. */
export function addressInput() {
  return s
    .string()
    .max(300)
    .transform((text, context) => {
      try {
        return parseHostPort(text)
      } catch (thrown) {
        // As an issue it is told with the flag or variable that it came from.
        const message = `${messageOf(thrown)}; write for example \`127.0.0.1:8080\` or \`[::1]:8080\``
        context.addIssue({ code: 'custom', message })
        return s.NEVER
      }
    })
}

export function listenOptions(defaults: {
  listen: string
  admin: string
}): readonly OptionDefinition[] {
  return [
    {
      flags: '--listen <host:port>',
      summary: 'Where callers connect.',
      env: 'HEADGATE_LISTEN',
      defaultText: defaults.listen,
    },
    {
      flags: '--admin <host:port>',
      summary: 'Where the admin API listens.',
      env: 'HEADGATE_ADMIN',
      defaultText: defaults.admin,
    },
  ]
}

/** A count of worker threads; `auto` is one per core. */
export function workersInput(cores: number) {
  return s
    .union([s.string(), s.number()])
    .default('auto')
    .transform((text, context) => {
      const count = text === 'auto' ? cores : Number(text)
      if (Number.isInteger(count) && count >= 1 && count <= workersMax) return count
      context.addIssue({
        code: 'custom',
        message: `must be a whole number from 1 to ${workersMax}, or \`auto\``,
      })
      return s.NEVER
    })
}

export const workersMax = 256
