/** Whether every secret that a configuration refers to can be read here and now; none is shown. */
import { createSecretResolver } from '../control/controller-secrets.ts'
import { type Problem, sortProblems } from '../control/problem.ts'
import type { ConfigReport } from './check-config.ts'
import type { CliDeps } from './deps.ts'

/** The report again, with what is wrong with its secrets. An invalid configuration stays as it is. */
export async function checkSecrets(
  report: ConfigReport,
  { env, clock }: CliDeps,
): Promise<ConfigReport> {
  const { resources, baseFolder } = report
  if (resources === undefined) return report
  const { problems, warnings } = await createSecretResolver(env, clock)(resources, baseFolder)
  const found = [...problems, ...warnings].map((problem) => located(problem, report))
  return {
    ...report,
    problems: sortProblems([...report.problems, ...found]),
    resources: problems.length === 0 ? resources : undefined,
  }
}

function located(problem: Problem, { documents }: ConfigReport): Problem {
  const document = documents.find(({ kind, name }) => `${kind}/${name}` === problem.object)
  const location = document?.locate(problem.path)
  return location === undefined ? problem : { ...problem, location }
}
