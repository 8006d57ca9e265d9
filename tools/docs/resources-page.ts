import type { s } from '../../src/base/schema.ts'
import type { KindDefinition } from '../../src/kinds/define-kind.ts'
import { metadataSchema } from '../../src/kinds/define-kind.ts'
import { kinds } from '../../src/kinds/index.ts'
import { policyEntrySchema } from '../../src/kinds/policy-list.ts'
import { fieldTable } from './fields.ts'
import { anchorOf, blocks, code, fence, generatedNote } from './markdown.ts'

/** docs/reference/resources.md: every kind with every field. */
export function resourcesPage(): string {
  return blocks(
    generatedNote('`src/kinds/`'),
    '# Resources',
    'Everything an operator can say is a resource: it has a kind, a name and the fields of its kind. In files, resources of a kind stand in a list under the plural of the kind, and their fields stand beside their name. Keys that begin with `x-` are ignored everywhere.',
    fence(
      'yaml',
      'version: 1\nupstreams:\n  - { name: books, url: "http://127.0.0.1:7001" }\nroutes:\n  - { name: books, match: { path: /books/** }, to: books }',
    ),
    kinds.map(({ kind, summary }) => `- [${kind}](#${anchorOf(kind)}): ${summary}`).join('\n'),
    '## Values',
    valueForms,
    '## Every resource',
    'These fields belong to resources of every kind.',
    fieldTable(metadataSchema),
    ...kinds.map(kindSection),
  )
}

const valueForms = `- A **name** has lower-case letters, digits and hyphens, begins and ends with a letter or digit, and is at most 63 characters long.
- A **field name** is the name of a header field, such as \`x-api-key\`; case does not matter.
- A **duration** is a number and a unit, as in \`250ms\`, \`30s\`, \`1h30m\`; units are \`ms\`, \`s\`, \`m\`, \`h\`, \`d\`.
- A **size** is a number and a unit, as in \`512B\`, \`64KiB\`, \`10MB\`.
- A **rate** is a count per period, as in \`10/s\`, \`100/min\`, \`20/30s\`.
- A **share** is a percentage such as \`5%\` or \`0.25%\`, or a whole number of basis points, of which 10000 are all.
- A **secret ref** says where a secret can be read, \`env:NAME\` or \`file:/path\`. Secrets themselves are never written into configuration.
- An **http url** is an \`http://\` or \`https://\` address without user, query and fragment, as in \`http://127.0.0.1:7001\`.
- A **cidr** is an address or a network, as in \`10.0.0.0/8\` or \`2001:db8::/32\`.
- A **policy** is an entry of a list of policies, as in \`api-key\`, \`rate-limit: { limit: 100/min }\` or \`set: standard\`; see [policies](policies.md).`

function kindSection(definition: KindDefinition): string {
  const { kind, plural, summary, description, examples, isSingleton } = definition
  const where =
    isSingleton === true
      ? `There is one, named \`default\`. In files: the map ${code(kind.toLowerCase())}. In the admin API: ${code(`/api/v1/${plural}/default`)}.`
      : `In files: the list ${code(plural)}. In the admin API: ${code(`/api/v1/${plural}`)}.`
  return blocks(
    `## ${kind}`,
    summary,
    description,
    where,
    `### Fields of ${kind}`,
    fieldTable(definition.spec, nameOfEntry),
    actionsPart(definition),
    ...examples.map(({ title, yaml }) => blocks(`**${title}**`, fence('yaml', yaml))),
  )
}

/** Entries of policy lists are checked by code, so JSON Schema has no words for them. */
function nameOfEntry(schema: s.core.$ZodType): string | undefined {
  return schema === policyEntrySchema ? 'policy' : undefined
}

function actionsPart({ kind, plural, actions }: KindDefinition): string {
  if (actions.length === 0) return ''
  return blocks(
    `### Actions of ${kind}`,
    'Actions change run-time state. Each is a `POST`, and is written into the audit.',
    ...actions.map(({ verb, summary, input }) =>
      blocks(`**${code(`POST /api/v1/${plural}/{name}:${verb}`)}** ${summary}`, fieldTable(input)),
    ),
  )
}
