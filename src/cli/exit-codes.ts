import type { ErrorCode } from '../base/errors.ts'

/** What the process says when it ends; scripts rely on these numbers. */
export const exitCodes = {
  ok: 0,
  error: 1,
  /** `plan --exit-code`, `fmt --check`: there is a difference. */
  difference: 2,
  invalidConfig: 3,
  auth: 4,
  /** Somebody else changed what the command was about to change. */
  conflict: 5,
  timedOut: 124,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const conflicts: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'admin.conflict',
  'admin.precondition_failed',
  'admin.precondition_required',
  'admin.plan_outdated',
  'admin.file_owned',
  'config.in_use',
])

/** The exit code of a command that ended in this error. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  if (code === 'cli.timed_out') return exitCodes.timedOut
  if (code === 'admin.unauthenticated' || code === 'admin.forbidden') return exitCodes.auth
  if (conflicts.has(code)) return exitCodes.conflict
  if (code.startsWith('config.')) return exitCodes.invalidConfig
  return exitCodes.error
}
