import { s } from '../../src/base/schema.ts'

const packageEntry = s.looseObject({
  version: s.string().optional(),
  license: s.string().optional(),
  dev: s.boolean().optional(),
  engines: s.record(s.string(), s.string()).optional(),
  optionalDependencies: s.record(s.string(), s.string()).optional(),
})

const lockFile = s.looseObject({ packages: s.record(s.string(), packageEntry) })

type Lock = s.infer<typeof lockFile>
type Entry = s.infer<typeof packageEntry>

/** Optional packages that some package of the lock names and that have no entry. */
export function missingFromLock(text: string): string[] {
  return missing(lockFile.parse(JSON.parse(text))).map(({ name }) => name)
}

/** Keeps every key and its order: what this file does not know must come out as it went in. */
const rawLock = s.looseObject({ packages: s.record(s.string(), s.record(s.string(), s.unknown())) })

/** The lock with nothing missing and no address of a registry. */
export function completeLock(text: string): string {
  const raw = rawLock.parse(JSON.parse(text))
  const { '': root = {}, ...others } = raw.packages
  for (const { name, version, parent } of missing(lockFile.parse(JSON.parse(text)))) {
    others[`node_modules/${name}`] = platformEntry(name, version, parent)
  }
  const packages = Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [, entry] of packages) delete entry.resolved
  const whole = { ...JSON.parse(text), packages: Object.fromEntries([['', root], ...packages]) }
  return `${JSON.stringify(whole, undefined, 2)}\n`
}

type Missing = { readonly name: string; readonly version: string; readonly parent: Entry }

function missing(lock: Lock): Missing[] {
  const present = new Set(
    Object.keys(lock.packages).map((path) => path.replace(/^.*node_modules\//, '')),
  )
  return Object.values(lock.packages).flatMap((parent) =>
    Object.entries(parent.optionalDependencies ?? {})
      .filter(([name]) => !present.has(name))
      .map(([name, version]) => ({ name, version, parent })),
  )
}

/** Packages of native parts name their platform at the end: `…-linux-arm64-musl`, `…-win32-x64-msvc`. */
function platformEntry(name: string, version: string, parent: Entry): Record<string, unknown> {
  const match = /-(android|darwin|freebsd|linux|openharmony|win32)-([a-z0-9]+)(?:-([a-z]+))?$/.exec(
    name,
  )
  if (match === null || /[^\d.]/.test(version)) {
    throw new Error(
      `\`${name}@${version}\` is missing from the lock and its name tells no platform: install where the registry has it`,
    )
  }
  const [, os, cpu, abi] = match
  const libc =
    os !== 'linux' || abi === undefined ? undefined : abi.includes('musl') ? 'musl' : 'glibc'
  return {
    version,
    cpu: [cpu],
    ...(parent.dev === true && { dev: true }),
    ...(libc !== undefined && { libc: [libc] }),
    ...(parent.license !== undefined && { license: parent.license }),
    optional: true,
    os: [os],
    ...(parent.engines !== undefined && { engines: parent.engines }),
  }
}
