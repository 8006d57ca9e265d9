/**
 * Resources in, snapshot out: every folder here is a pair. `in.yaml` is a configuration, `state.json`
 * (optional) what else a compilation is given, `snapshot.json` what must come out. `UPDATE_GOLDEN=1`
 * writes what does come out; read the diff before committing it.
 */
import { deepEqual, equal } from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  type CompileInput,
  type CompileOutput,
  compile,
} from '../../src/control/compile/compile.ts'
import { emptySlotTable } from '../../src/control/compile/slots.ts'
import { s } from '../../src/base/schema.ts'
import { policyCatalog } from '../../src/proxy/policies/catalog.ts'
import { resourcesOfYaml } from '../support/resources.ts'

const here = import.meta.dirname
const isUpdating = process.env.UPDATE_GOLDEN === '1'

const stateSchema = s.strictObject({
  splits: s
    .record(
      s.string(),
      s.strictObject({ weights: s.record(s.string(), s.number()), epoch: s.number() }),
    )
    .default({}),
  caPems: s.record(s.string(), s.string()).default({}),
  appKeyHashes: s.record(s.string(), s.string()).default({}),
  slots: s
    .strictObject({
      route: s.array(s.string()),
      version: s.array(s.string()),
      endpoint: s.array(s.string()),
      app: s.array(s.string()),
    })
    .default({
      route: [...emptySlotTable.route],
      version: [...emptySlotTable.version],
      endpoint: [...emptySlotTable.endpoint],
      app: [...emptySlotTable.app],
    }),
})

function inputOf(folder: string): CompileInput {
  const stateFile = join(folder, 'state.json')
  const state = stateSchema.parse(
    existsSync(stateFile) ? JSON.parse(readFileSync(stateFile, 'utf8')) : {},
  )
  return {
    revision: 1,
    resources: resourcesOfYaml(readFileSync(join(folder, 'in.yaml'), 'utf8')),
    splits: new Map(Object.entries(state.splits)),
    catalog: policyCatalog(),
    slots: state.slots,
    policyModules: [],
    caPems: new Map(Object.entries(state.caPems)),
    appKeyHashes: new Map(Object.entries(state.appKeyHashes)),
  }
}

/** As JSON for people: maps as objects, `undefined` left out, nothing else lost. */
function readable({ snapshot, slots }: CompileOutput): string {
  const replaced = JSON.stringify(
    { snapshot, slots },
    (_, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value),
    2,
  )
  return `${replaced}\n`
}

describe('resources compile to the snapshot beside them', () => {
  for (const entry of readdirSync(here, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const folder = join(here, entry.name)
    test(entry.name.replaceAll('-', ' '), () => {
      const input = inputOf(folder)
      const output = compile(input)
      const file = join(folder, 'snapshot.json')
      if (isUpdating) writeFileSync(file, readable(output))
      // Lines make the shorter report.
      deepEqual(readable(output).split('\n'), readFileSync(file, 'utf8').split('\n'))
      // Workers get a structured clone: whatever it cannot carry, or loses, is found here.
      deepEqual(structuredClone(output.snapshot), output.snapshot)
      const shuffled = { ...input, resources: [...input.resources].reverse() }
      equal(readable(compile(shuffled)), readable(output), 'the order of resources must not matter')
      const again = compile({ ...input, slots: output.slots })
      equal(readable(again), readable(output), 'a second compilation must change no slot')
    })
  }
})
