import { s } from '../../base/schema.ts'
import { type RouteTestView, testRouteOnServer } from '../admin-calls.ts'
import { checkConfig } from '../check-config.ts'
import { parseRequestWords } from '../curl.ts'
import type { RouteTestAnswer } from '../../control/control-api.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { testRouteOffline } from '../offline-route-test.ts'
import { dataOutputInput, dataOutputOption, toJson, toYamlText } from '../output/formats.ts'
import { renderRouteTest } from '../output/route-test-view.ts'
import { serverInput, serverOptions } from '../server-options.ts'

export const routeTestCommand = defineCommand({
  path: 'route test',
  summary: 'Say where a request would go, and why the other routes lost. Nothing is sent.',
  description:
    'Asks the running gateway, or with `-c` the files. Paste a curl command as one word in quotes, or after `--`. Ends with 1 when the gateway itself would refuse the request.',
  examples: [
    {
      title: 'A pasted curl command',
      command: `headgate route test 'curl -H "Host: api.example.com" http://localhost:8080/books/1'`,
    },
    {
      title: 'Method and address, against files that are not served yet',
      command: 'headgate route test POST http://api.example.com/orders -c headgate.yaml',
    },
    {
      title: 'As somebody from another network',
      command: 'headgate route test http://localhost:8080/admin --from 203.0.113.7',
    },
  ],
  args: [
    {
      name: 'request',
      summary: 'A curl command, METHOD URL, or URL.',
      isRequired: true,
      isVariadic: true,
    },
  ],
  options: [
    {
      flags: '-c, --config <path>',
      summary: 'Ask these files instead of a gateway.',
      completion: { type: 'file' },
    },
    { flags: '--from <address>', summary: 'Address of the client.', defaultText: '127.0.0.1' },
    {
      flags: '--app <name>',
      summary: 'As if this app had presented its key.',
      completion: { type: 'object', kind: 'App' },
    },
    { flags: '--full', summary: 'Show every route that lost.' },
    dataOutputOption,
    ...serverOptions,
  ],
  input: s.object({
    request: s.array(s.string().max(65_536)).min(1).max(1_000),
    config: s.string().max(4_096).optional(),
    from: s.address().default('127.0.0.1'),
    app: s.name().optional(),
    full: s.boolean().default(false),
    output: dataOutputInput,
    ...serverInput,
  }),
  async run(input, context) {
    const { terminal } = context
    const app = input.app === undefined ? {} : { app: input.app }
    const request = { ...parseRequestWords(input.request, input.from), ...app }
    const answer: RouteTestAnswer | RouteTestView =
      input.config === undefined
        ? await testRouteOnServer(context.connect(input), request)
        : testRouteOffline(await checkConfig(input.config, context.deps), request)
    if (input.output === 'json') terminal.out(toJson(answer))
    else if (input.output === 'yaml') terminal.out(toYamlText(answer))
    else {
      const view = { isFull: input.full, paint: terminal.paint.out }
      terminal.out(renderRouteTest(request, answer, view))
    }
    return answer.refused === undefined ? exitCodes.ok : exitCodes.error
  },
})
