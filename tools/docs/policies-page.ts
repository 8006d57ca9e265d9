import { type PolicyDefinition, policyPhases } from '../../src/proxy/policies/define-policy.ts'
import { builtInPolicies } from '../../src/proxy/policies/index.ts'
import { fieldTable } from './fields.ts'
import { anchorOf, blocks, code, fence, generatedNote, table } from './markdown.ts'

/** docs/reference/policies.md: every built-in policy with every setting. */
export function policiesPage(): string {
  return blocks(
    generatedNote('`src/proxy/policies/`'),
    '# Policies',
    `A policy is one step on an exchange. Routes list policies; a [PolicySet](resources.md#policyset) is a list that routes share. Policies run by phase (${policyPhases.map(code).join(', ')}), and within a phase in the order in which they are listed. Answers pass them in reverse. Besides these you can [write your own](../how-to/write-a-policy.md).`,
    table(
      ['policy', 'phase', 'what it does'],
      builtInPolicies.map(({ name, phase, summary }) => [
        `[${name}](#${anchorOf(name)})`,
        phase,
        summary,
      ]),
    ),
    ...builtInPolicies.map(policySection),
  )
}

function policySection({
  name,
  summary,
  description,
  phase,
  config,
  examples,
}: PolicyDefinition): string {
  return blocks(
    `## ${name}`,
    `${summary} Runs in phase ${code(phase)}.`,
    description ?? '',
    fieldTable(config),
    ...(examples ?? []).map(({ title, yaml }) =>
      blocks(`**${title}**`, fence('yaml', `policies:\n${indent(yaml.trimEnd())}`)),
    ),
  )
}

/** An example is one entry of a list, of one line or several. */
function indent(entry: string): string {
  return entry
    .split('\n')
    .map((line, index) => `  ${index === 0 ? '- ' : '  '}${line}`)
    .join('\n')
}
