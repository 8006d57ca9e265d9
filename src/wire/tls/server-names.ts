/** Finds what belongs to a server name (RFC 6066 §3): the exact name first, then a wildcard for it. */

export type ServerNames<Value> = {
  /** `name` in any case, with or without the dot at the end. */
  find(name: string): Value | undefined
}

/** Of several entries with the same name the first one has it. `*.example.com` stands for one label. */
export function serverNames<Value>(
  entries: readonly { readonly hosts: readonly string[]; readonly value: Value }[],
): ServerNames<Value> {
  const exact = new Map<string, Value>()
  const bySuffix = new Map<string, Value>()
  for (const { hosts, value } of entries) {
    for (const host of hosts) {
      const name = host.toLowerCase()
      const table = name.startsWith('*.') ? bySuffix : exact
      const key = name.startsWith('*.') ? name.slice(1) : name
      if (!table.has(key)) table.set(key, value)
    }
  }
  return {
    find(name) {
      const lower = name.toLowerCase().replace(/\.$/, '')
      const dot = lower.indexOf('.')
      return exact.get(lower) ?? (dot > 0 ? bySuffix.get(lower.slice(dot)) : undefined)
    },
  }
}
