import { s } from '../../base/schema.ts'
import { defaultWorkspace } from '../../kinds/define-kind.ts'
import { applyChange, getObject, planChange } from '../admin-calls.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { collectionOf, parseObjectWords } from '../kind-names.ts'
import { renderPlan } from '../output/plan-view.ts'
import { usageError } from '../report-error.ts'
import { serverInput, serverOptions } from '../server-options.ts'

export const deleteCommand = defineCommand({
  path: 'delete',
  summary: 'Delete objects by name, after showing what that does.',
  description:
    'What others still refer to is not deleted; name them too and all go in one revision. Asks on a terminal, needs `--yes` elsewhere.',
  examples: [
    { title: 'One route', command: 'headgate delete route books' },
    {
      title: 'A route and its upstream together',
      command: 'headgate delete route/books upstream/books',
    },
    { title: 'Only show what would happen', command: 'headgate delete upstream books --dry-run' },
  ],
  args: [
    {
      name: 'objects',
      summary: 'KIND NAME…, or KIND/NAME….',
      isRequired: true,
      isVariadic: true,
      completion: { type: 'object' },
    },
  ],
  options: [
    { flags: '-y, --yes', summary: 'Do not ask.' },
    { flags: '--dry-run', summary: 'Show the plan and stop.' },
    { flags: '--reason <text>', summary: 'Why; kept with the revision.' },
    ...serverOptions,
  ],
  input: s.object({
    objects: s.array(s.string().max(256)).min(1).max(1_000),
    yes: s.boolean().default(false),
    dryRun: s.boolean().default(false),
    reason: s.string().max(1_024).optional(),
    ...serverInput,
  }),
  async run(input, context) {
    const { terminal } = context
    const admin = context.connect(input)
    const wanted = parseObjects(input.objects)
    // Read first, so that a misspelt name is met with the nearest one.
    for (const { kind, name } of wanted) await getObject(admin, kind, name)
    const deletes = wanted.map(({ kind, name }) => ({
      workspace: defaultWorkspace,
      kind: kind.kind,
      name,
    }))
    const body = { puts: [], deletes, prune: false, managedBy: 'cli' }
    const plan = await planChange(admin, body)
    terminal.say(renderPlan(plan, 'normal', terminal.paint.err))
    if (input.dryRun) return exitCodes.ok
    if (!input.yes) {
      if (!terminal.isInteractive) {
        throw usageError('nobody to ask: this is not a terminal', 'the same with `--yes`')
      }
      const answer = await terminal.ask('Delete? [y/N] ')
      if (answer !== 'y' && answer !== 'yes') {
        terminal.warn('nothing was changed')
        return exitCodes.error
      }
    }
    const reason = input.reason === undefined ? {} : { reason: input.reason }
    const result = await applyChange(admin, { ...body, baseRevision: plan.baseRevision, ...reason })
    terminal.out(`revision ${result.revision}`)
    return exitCodes.ok
  },
})

/** `route books other` and `route/books upstream/books`. */
function parseObjects(words: readonly string[]) {
  const [first = '', ...rest] = words
  if (first.includes('/')) return words.map((word) => namedObject(word))
  if (rest.length === 0) {
    const { kind } = parseObjectWords(first, undefined)
    throw usageError(`which of the ${collectionOf(kind)}?`, `headgate delete ${first} NAME`)
  }
  return rest.map((name) => namedObject(`${first}/${name}`))
}

function namedObject(word: string) {
  const { kind, name } = parseObjectWords(word, undefined)
  if (name !== undefined) return { kind, name }
  throw usageError(`\`${word}\` is not KIND/NAME`, 'headgate delete route/books')
}
