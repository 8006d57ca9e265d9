import { s } from '../../base/schema.ts'
import { basisPointsWhole, formatShare, parseShare } from '../../base/units.ts'
import { actOn } from '../admin-calls.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { toJson } from '../output/formats.ts'
import { usageError } from '../report-error.ts'
import { serverInput, serverOptions } from '../server-options.ts'

export const upstreamSplitCommand = defineCommand({
  path: 'upstream split',
  summary: 'Move traffic between the versions of an upstream, at once.',
  description:
    'Run-time state: it works in file mode too, survives a restart, and stands until the definition of the split changes or `upstream reset` drops it. A version that is not named gets nothing; the last one may be left without share and takes the rest.',
  examples: [
    { title: 'A first look: 5 % on v2', command: 'headgate upstream split books v1=95% v2=5%' },
    { title: 'All on v2', command: 'headgate upstream split books v2=100%' },
    {
      title: 'Say why',
      command: 'headgate upstream split books v2=25% v1 --reason "no errors for an hour"',
    },
  ],
  args: [
    {
      name: 'name',
      summary: 'The upstream.',
      isRequired: true,
      completion: { type: 'object', kind: 'Upstream' },
    },
    {
      name: 'shares',
      summary: 'VERSION=SHARE…, together 100 %.',
      isRequired: true,
      isVariadic: true,
    },
  ],
  options: [
    { flags: '--reason <text>', summary: 'Why; kept in the audit.' },
    {
      flags: '-o, --output <format>',
      summary: 'text or json.',
      defaultText: 'text',
      completion: { type: 'words', words: ['text', 'json'] },
    },
    ...serverOptions,
  ],
  input: s.object({
    name: s.name(),
    shares: s.array(s.string().max(128)).min(1).max(32),
    reason: s.string().max(1_024).optional(),
    output: s.enum(['text', 'json'], { error: 'must be `text` or `json`' }).default('text'),
    ...serverInput,
  }),
  async run(input, context) {
    const weights = parseShares(input.shares)
    const reason = input.reason === undefined ? {} : { reason: input.reason }
    const target = { kind: 'Upstream', name: input.name, verb: 'setSplit' }
    const answer = await actOn(context.connect(input), target, { weights, ...reason })
    if (input.output === 'json') context.terminal.out(toJson(answer))
    else context.terminal.out(`${input.name}: ${weightsText(weights)}`)
    return exitCodes.ok
  },
})

const example = 'headgate upstream split books v1=95% v2=5%'

/** `['v1=95%', 'v2']` to shares; a last one without share takes what is left. */
export function parseShares(words: readonly string[]): Record<string, string> {
  const shares = new Map<string, number>()
  const total = () => [...shares.values()].reduce((sum, share) => sum + share, 0)
  for (const [index, word] of words.entries()) {
    const [version = '', text] = word.split('=', 2)
    const isRest = text === undefined && index === words.length - 1
    const share = isRest ? basisPointsWhole - total() : parseShare(text ?? '')
    if (version === '' || share === undefined) {
      throw usageError(`\`${word}\` is not VERSION=SHARE such as \`v2=5%\``, example)
    }
    if (shares.has(version)) throw usageError(`version \`${version}\` stands twice`, example)
    shares.set(version, share)
  }
  if (total() !== basisPointsWhole || [...shares.values()].some((share) => share < 0)) {
    throw usageError(`the shares add up to ${formatShare(total())}, not to 100 %`, example)
  }
  return Object.fromEntries([...shares].map(([version, share]) => [version, formatShare(share)]))
}

function weightsText(weights: Readonly<Record<string, string>>): string {
  return Object.entries(weights)
    .map(([version, share]) => `${version} ${share}`)
    .join(', ')
}
