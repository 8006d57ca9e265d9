/** Whether every secret that a configuration refers to can be read here and now; none is shown. */
import { resolve } from 'node:path'
import {
  resolveAccounts,
  resolveAppKeys,
  type SecretProblem,
} from '../accounts/resolve.ts'
import { readSecretFile } from '../accounts/vaults/read-secret-file.ts'
import { resourcesOf } from '../control/compile/of-kind.ts'
import { type Problem, sortProblems } from '../control/problem.ts'
import { account } from '../kinds/account.ts'
import { app } from '../kinds/app.ts'
import type { ConfigReport } from './check-config.ts'
import type { CliDeps } from './deps.ts'

/** The report again, with what is wrong with its secrets. An invalid configuration stays as it is. */
export async function checkSecrets(report: ConfigReport, { env }: CliDeps): Promise<ConfigReport> {
  const { resources, baseFolder } = report
  if (resources === undefined) return report
  const io = { env, readFile: (path: string) => readSecretFile(resolve(baseFolder, path)) }
  const accounts = await resolveAccounts(resourcesOf(resources, account), io)
  const keys = await resolveAppKeys(resourcesOf(resources, app), io)
  const found = [...accounts.problems, ...keys.problems].map((each) => located(each, report))
  return {
    ...report,
    problems: sortProblems([...report.problems, ...found]),
    resources: found.length === 0 ? resources : undefined,
  }
}

function located({ kind, name, path, code, message }: SecretProblem, report: ConfigReport): Problem {
  const document = report.documents.find((each) => each.kind === kind && each.name === name)
  const location = document?.locate(path)
  return {
    severity: 'error',
    code,
    object: `${kind}/${name}`,
    path,
    message,
    ...(location !== undefined && { location }),
  }
}
