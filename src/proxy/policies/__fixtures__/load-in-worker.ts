/** Run as a worker thread: imports the modules it is given and says what came of it. */
import { parentPort, workerData } from 'node:worker_threads'
import { s } from '../../../base/schema.ts'
import { importPolicyModules } from '../load-modules.ts'
import { outcome, testContext } from '../test-context.ts'
import { testExchange } from '../test-exchange.ts'

const text = s.string().max(100_000)
const { modules, sources } = s
  .object({
    modules: s.array(s.object({ path: text, sha256: text })).max(100),
    sources: s
      .object({
        folder: text,
        files: s.array(s.tuple([text, text])).max(100),
        policyPaths: s.array(text).max(100),
        sha256: text,
      })
      .optional(),
  })
  .parse(workerData)
const { definitions, problems } = await importPolicyModules(modules, { sources })
const outcomes = await Promise.all(
  definitions.map(async (definition) => {
    const instance = definition.create(definition.config.parse({}), testContext())
    const verdict = await instance.onRequest?.(testExchange())
    return [definition.name, verdict === undefined ? '' : outcome(verdict)]
  }),
)
parentPort?.postMessage({ outcomes, problems })
