/**
 * Checks what a machine can check of STYLE.md, over everything that git tracks or would track.
 *
 *   tools/tidy.ts             the whole repository
 *   tools/tidy.ts src/proxy   only findings in files below these paths
 */
import { join } from 'node:path'
import { renderFinding, runRules } from './tidy/rules.ts'
import { trackedFiles } from './tidy/tracked-files.ts'

const chosen = process.argv.slice(2)
const findings = runRules(trackedFiles(join(import.meta.dirname, '..'))).filter(
  ({ path }) => chosen.length === 0 || chosen.some((prefix) => path.startsWith(prefix)),
)
for (const finding of findings) process.stdout.write(`${renderFinding(finding)}\n`)
process.exitCode = findings.length === 0 ? 0 : 1
