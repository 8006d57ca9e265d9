/** Documents that must exist and be complete: room READMEs, the error reference, the lock file. */
import { missingFromLock } from '../lock/complete-lock.ts'
import type { Rule } from './rule.ts'
import { type Finding, isProduct, isTest, type TextFile } from './source.ts'

const roomReadme: Rule = {
  name: 'room-readme',
  check({ files }) {
    const rooms = new Set(
      files
        .filter(({ path }) => /^src\/[^/]+\//.test(path))
        .map(({ path }) => path.split('/')[1] ?? ''),
    )
    return [...rooms].flatMap((room) => {
      const path = `src/${room}/README.md`
      const readme = files.find((file) => file.path === path)
      return readme === undefined
        ? [
            {
              path,
              line: 1,
              rule: roomReadme.name,
              todo: 'write it: the files in reading order, a line each',
            },
          ]
        : unlistedEntries(room, readme, files)
    })
  },
}

/** Files and folders directly in the room that its README does not name. */
function unlistedEntries(room: string, readme: TextFile, files: readonly TextFile[]): Finding[] {
  const prefix = `src/${room}/`
  const entries = new Set(
    files
      .filter(({ path }) => path.startsWith(prefix) && isProduct(path) && path !== readme.path)
      .map(({ path }) => path.slice(prefix.length).replace(/\/.*$/, '/')),
  )
  return [...entries]
    .filter((entry) => !readme.text.includes(entry))
    .map((entry) => ({
      path: readme.path,
      line: 1,
      rule: roomReadme.name,
      todo: `\`${entry}\` is missing: add a line that says what it is`,
    }))
}

const errorPage = 'docs/reference/errors.md'

const documentedErrors: Rule = {
  name: 'documented-errors',
  check({ files, sources }) {
    const headings = new Set(
      (files.find(({ path }) => path === errorPage)?.text ?? '')
        .split('\n')
        .flatMap((line) => /^#+ `([^`]+)`/.exec(line)?.[1] ?? []),
    )
    return sources
      .filter(({ path }) => /^src\/base\/errors\/[^/]+\.ts$/.test(path) && !isTest(path))
      .flatMap((source) => {
        const findings: Finding[] = []
        source.visit({
          Property({ key, start }) {
            const code = key.type === 'Literal' && typeof key.value === 'string' ? key.value : ''
            if (!/^[a-z]+\.[a-z_]+$/.test(code) || headings.has(code)) return
            findings.push({
              path: source.path,
              line: source.lineAt(start),
              rule: documentedErrors.name,
              todo: `\`${code}\` has no heading in ${errorPage}: run \`npm run docs\``,
            })
          },
        })
        return findings
      })
  },
}

/** `npm ci` refuses a lock that leaves out an optional package, even one of another platform. */
const lockComplete: Rule = {
  name: 'lock-complete',
  check({ files }) {
    const lock = files.find(({ path }) => path === 'package-lock.json')
    return lock === undefined
      ? []
      : missingFromLock(lock.text).map((name) => ({
          path: lock.path,
          line: 1,
          rule: lockComplete.name,
          todo: `\`${name}\` is missing, so \`npm ci\` fails elsewhere: run \`npm run lock\``,
        }))
  },
}

export const documentRules: readonly Rule[] = [roomReadme, documentedErrors, lockComplete]
