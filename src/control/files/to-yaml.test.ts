import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Resource } from '../../kinds/define-kind.ts'
import { kinds } from '../../kinds/index.ts'
import { policyCatalog } from '../../proxy/policies/catalog.ts'
import { admit, admitParsed } from '../admission/admit.ts'
import { sentenceFor } from '../problem.ts'
import { formatConfig } from './format.ts'
import { parseConfig } from './parse.ts'
import { arbitraryConfig } from './testing/arbitrary-config.ts'
import { toYaml } from './to-yaml.ts'

const catalog = policyCatalog()

/** What a text is admitted as; the sentences of its problems when it is not. */
function resourcesIn(text: string): Resource[] | string[] {
  const admission = admitParsed(parseConfig([{ name: 'export.yaml', text }], {}), catalog)
  return admission.ok ? admission.resources : admission.problems.map(sentenceFor)
}

function admitted(admission: ReturnType<typeof admit>): Resource[] {
  deepEqual(admission.ok ? [] : admission.problems.map(sentenceFor), [])
  return admission.ok ? admission.resources : []
}

test('an export is read back as exactly the same resources, in short and in long form', () => {
  fc.assert(
    fc.property(arbitraryConfig, fc.boolean(), (documents, short) => {
      const resources = admitted(admit(documents, catalog))
      deepEqual(resourcesIn(toYaml(resources, { short })), resources)
    }),
    { numRuns: 60 },
  )
})

test('formatting and expanding an export do not change what it means', () => {
  fc.assert(
    fc.property(arbitraryConfig, fc.boolean(), (documents, expand) => {
      const resources = admitted(admit(documents, catalog))
      const formatted = formatConfig(toYaml(resources), { expand })
      deepEqual(resourcesIn(formatted), resources)
      equal(formatConfig(formatted, { expand }), formatted)
    }),
    { numRuns: 40 },
  )
})

test('an export does not depend on the order of the resources', () => {
  const examples = kinds.flatMap((kind) => kind.examples.map(({ yaml }) => yaml))
  const files = examples.map((text, index) => ({ name: `${index}.yaml`, text }))
  const { documents } = parseConfig(files, {})
  // The examples of one kind share names; the last of each is enough here.
  const unique = new Map(documents.map((each) => [`${each.kind}/${each.name}`, each]))
  const resources = admitted(admit([...unique.values()], catalog))
  equal(toYaml(resources), toYaml(resources.toReversed()))
})

test('the short form is what a person would write', () => {
  const text = `version: 1
gateway:
  trustedProxies: [ 10.0.0.0/8 ]
upstreams:
  - name: books
    owner: team-catalog
    versions:
      v1: { url: http://127.0.0.1:7001, account: books-key }
      v2:
        endpoints:
          - { url: http://127.0.0.1:7002, weight: 3 }
          - { url: http://127.0.0.1:7003 }
    live: v1
    split: { weights: { v1: 95%, v2: 5% }, sticky: { by: Consumer } }
  - name: plain
    url: http://127.0.0.1:7004
accounts:
  - name: books-key
    header: { name: x-api-key, secret: env:BOOKS_KEY }
routes:
  - name: books
    match:
      host: api.example.com
      path: /books/**
      headers: { x-beta: "*", x-tier: gold }
    to: books
    policies:
      - set: standard
  - name: plain
    match: { paths: [ /a, /b ] }
    to: plain
policySets:
  - name: standard
    policies:
      - api-key:
          header: x-api-key
          bearer: Ignore
          upstreamKey: Remove
          realm: headgate
`
  const resources = resourcesIn(text)
  const [first] = resources
  equal(
    typeof first === 'object'
      ? toYaml(resources.filter((each) => typeof each === 'object'))
      : first,
    text,
  )
})

test('no resources make a file that is read back as none', () => {
  equal(toYaml([]), 'version: 1\n')
  deepEqual(resourcesIn(toYaml([])), [])
})
