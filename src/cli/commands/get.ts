import { s } from '../../base/schema.ts'
import type { KindDefinition } from '../../kinds/define-kind.ts'
import { getObject, listObjects, type ObjectView } from '../admin-calls.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { collectionOf, parseObjectWords } from '../kind-names.ts'
import { formatPlain, type OutputFormat, outputInput, outputOption } from '../output/formats.ts'
import { renderTable } from '../output/table.ts'
import { serverInput, serverOptions } from '../server-options.ts'

export const getCommand = defineCommand({
  path: 'get',
  summary: 'List the objects of a kind, or show one.',
  description:
    'JSON and YAML are the objects of the admin API, unchanged: one object for a name, `{ items: […] }` for a list.',
  examples: [
    { title: 'All upstreams, and where their traffic goes', command: 'headgate get upstreams' },
    { title: 'One route, in full', command: 'headgate get route books -o yaml' },
    {
      title: 'The names of all apps',
      command: `headgate get apps -o jsonpath='{.items[*].name}'`,
    },
  ],
  args: [
    {
      name: 'kind',
      summary: 'upstreams, accounts, routes, policy-sets, apps, gateways; also KIND/NAME.',
      isRequired: true,
      completion: { type: 'kind' },
    },
    { name: 'name', summary: 'One object.', completion: { type: 'object' } },
  ],
  options: [outputOption, ...serverOptions],
  input: s.object({
    kind: s.string().max(128),
    name: s.string().max(128).optional(),
    output: outputInput,
    ...serverInput,
  }),
  async run(input, context) {
    const { kind, name } = parseObjectWords(input.kind, input.name)
    const admin = context.connect(input)
    if (name !== undefined) {
      const object = await getObject(admin, kind, name)
      context.terminal.out(
        formatPlain(input.output, object) ?? listText(kind, [object], input.output),
      )
      return exitCodes.ok
    }
    const items = await listObjects(admin, kind)
    const plain = formatPlain(input.output, { items })
    if (plain !== undefined) context.terminal.out(plain)
    else if (items.length > 0) context.terminal.out(listText(kind, items, input.output))
    else context.terminal.say(`no ${collectionOf(kind)}; \`headgate apply -c FILE\` brings some`)
    return exitCodes.ok
  },
})

function listText(
  kind: KindDefinition,
  objects: readonly ObjectView[],
  format: OutputFormat,
): string {
  if (format.type === 'name') {
    return objects.map((object) => `${collectionOf(kind)}/${object.name}`).join('\n')
  }
  const isWide = format.type === 'wide'
  const columns = kind.columns.filter((column) => isWide || column.isWide !== true)
  const titles = ['NAME', ...columns.map((column) => column.title)]
  const rows = objects.map((object) => [
    object.name,
    ...columns.map((column) => columnText(() => column.value(object.spec, object.status ?? {}))),
    stateOf(object),
    ...(isWide
      ? [String(object.revision ?? ''), object.managedBy ?? '', object.updatedAt ?? '']
      : []),
  ])
  return renderTable(
    [...titles, 'STATE', ...(isWide ? ['REVISION', 'MANAGED BY', 'UPDATED'] : [])],
    rows,
  )
}

/** A spec of a newer gateway may not have what a column of this version reads. */
function columnText(read: () => string): string {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof TypeError) return '?'
    throw thrown
  }
}

/** `ok`, or the reasons of the conditions that do not hold. */
export function stateOf(object: ObjectView): string {
  const bad = (object.status?.conditions ?? []).filter((condition) => condition.status !== 'True')
  return bad.length === 0 ? 'ok' : bad.map(({ type, reason }) => reason ?? type).join(', ')
}
