/** Run as a worker thread: imports the modules it is given and says what came of it. */
import { parentPort, workerData } from 'node:worker_threads'
import { s } from '../../../base/schema.ts'
import { importPolicyModules } from '../load-modules.ts'
import { outcome, testContext } from '../test-context.ts'
import { testExchange } from '../test-exchange.ts'

const modules = s
  .array(s.object({ path: s.string(), sha256: s.string() }))
  .max(100)
  .parse(workerData)
const { definitions, problems } = await importPolicyModules(modules)
const outcomes = await Promise.all(
  definitions.map(async (definition) => {
    const instance = definition.create(definition.config.parse({}), testContext())
    const verdict = await instance.onRequest?.(testExchange())
    return [definition.name, verdict === undefined ? '' : outcome(verdict)]
  }),
)
parentPort?.postMessage({ outcomes, problems })
