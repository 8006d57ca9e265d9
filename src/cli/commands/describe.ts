import { s } from '../../base/schema.ts'
import type { KindDefinition } from '../../kinds/define-kind.ts'
import { getObject, type ObjectView } from '../admin-calls.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { parseObjectWords } from '../kind-names.ts'
import { toYamlText } from '../output/formats.ts'
import { usageError } from '../report-error.ts'
import { serverInput, serverOptions } from '../server-options.ts'
import type { Paint } from '../terminal.ts'

export const describeCommand = defineCommand({
  path: 'describe',
  summary: 'Show one object for people: what it is, how it is, and why.',
  examples: [
    { title: 'An upstream with its traffic', command: 'headgate describe upstream books' },
    { title: 'Why an account does not work', command: 'headgate describe account/books-a' },
    { title: 'The settings of the gateway', command: 'headgate describe gateway default' },
  ],
  args: [
    {
      name: 'kind',
      summary: 'Kind of the object; also KIND/NAME.',
      isRequired: true,
      completion: { type: 'kind' },
    },
    { name: 'name', summary: 'Its name.', completion: { type: 'object' } },
  ],
  options: serverOptions,
  input: s.object({
    kind: s.string().max(128),
    name: s.string().max(128).optional(),
    ...serverInput,
  }),
  async run(input, context) {
    const words = parseObjectWords(input.kind, input.name)
    // A kind with one object needs no name.
    const name = words.name ?? (words.kind.isSingleton === true ? 'default' : undefined)
    if (name === undefined) {
      throw usageError('which one?', `headgate describe ${input.kind} NAME`)
    }
    const object = await getObject(context.connect(input), words.kind, name)
    context.terminal.out(describe(words.kind, object, context.terminal.paint.out))
    return exitCodes.ok
  },
})

function describe(kind: KindDefinition, object: ObjectView, paint: Paint): string {
  const facts: [string, string | undefined][] = [
    ['Description', object.description],
    ['Owner', object.owner],
    ['Labels', labelsText(object.labels)],
    ['Revision', revisionText(object)],
    ['Managed by', object.managedBy],
  ]
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== undefined)
  const { conditions = [], observedRevision: _, ...status } = object.status ?? {}
  return [
    `${paint.bold(`${object.kind}/${object.name}`)}  ${paint.dim(kind.summary)}`,
    ...known.map(([title, text]) => `  ${title.padEnd(12)} ${text}`),
    '',
    paint.bold('Conditions'),
    ...(conditions.length === 0 ? ['  none: nothing to report'] : []),
    ...conditions.map((condition) => conditionText(condition, paint)),
    ...(Object.keys(status).length === 0
      ? []
      : ['', paint.bold('Status'), indent(toYamlText(status))]),
    '',
    paint.bold('Spec'),
    indent(toYamlText(object.spec)),
  ].join('\n')
}

type ConditionShown = {
  readonly type: string
  readonly status: string
  readonly reason?: string | undefined
  readonly message?: string | undefined
  readonly since?: string | undefined
}

function conditionText(condition: ConditionShown, paint: Paint): string {
  const { type, status, reason, message, since } = condition
  const mark = status === 'True' ? paint.green('✓') : paint.red('✗')
  const why = [reason, message].filter((part) => part !== undefined && part !== '').join(': ')
  return `  ${mark} ${type} ${status}${why === '' ? '' : `: ${why}`}${since === undefined ? '' : paint.dim(` (since ${since})`)}`
}

function labelsText(labels: Readonly<Record<string, string>> | undefined): string | undefined {
  const entries = Object.entries(labels ?? {})
  return entries.length === 0
    ? undefined
    : entries.map(([key, value]) => `${key}=${value}`).join(', ')
}

function revisionText({ revision, updatedAt, createdAt }: ObjectView): string | undefined {
  if (revision === undefined) return undefined
  const times = [
    ...(updatedAt === undefined ? [] : [`updated ${updatedAt}`]),
    ...(createdAt === undefined ? [] : [`created ${createdAt}`]),
  ]
  return times.length === 0 ? String(revision) : `${revision} (${times.join(', ')})`
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}
