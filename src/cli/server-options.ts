/** Flags of every command that talks to a running gateway. */
import { s } from '../base/schema.ts'
import { parseDuration } from '../base/units.ts'
import type { OptionDefinition } from './define-command.ts'

export const defaultServer = 'http://127.0.0.1:9090'
const defaultTimeoutMs = 30_000

/** A duration flag, in milliseconds. */
export function durationInput() {
  return s.string().transform((text, context) => {
    const ms = parseDuration(text)
    if (ms !== undefined) return ms
    context.addIssue({ code: 'custom', message: 'must be a duration such as `30s` or `5m`' })
    return s.NEVER
  })
}

/** `9090`, `gateway:9090` and whole addresses, without a slash at the end. */
const serverAddress = s
  .string()
  .max(2_048)
  .transform((text, context) => {
    const address = /^\d+$/.test(text) ? `127.0.0.1:${text}` : text
    const url = address.includes('://') ? address : `http://${address}`
    if (URL.canParse(url) && /^https?:/.test(url)) return url.replace(/\/+$/, '')
    context.addIssue({
      code: 'custom',
      message: `must be an http(s) address such as \`${defaultServer}\``,
    })
    return s.NEVER
  })

export const serverOptions: readonly OptionDefinition[] = [
  {
    flags: '--server <url>',
    summary: 'Admin address of the gateway.',
    env: 'HEADGATE_SERVER',
    defaultText: defaultServer,
  },
  {
    flags: '--token <token>',
    summary: 'Token for the admin API; the variable keeps it out of the list of processes.',
    env: 'HEADGATE_TOKEN',
  },
  { flags: '--timeout <duration>', summary: 'Longest wait for one answer.', defaultText: '30s' },
]

/** Spread into the `input` of a command that has `serverOptions`. */
export const serverInput = {
  server: serverAddress.default(defaultServer),
  token: s.string().min(1).max(1_024).optional(),
  timeout: durationInput().default(defaultTimeoutMs),
}
