/** Tests run, all of them, and can fail (STYLE.md §8). */
import type { Node } from 'oxc-parser'
import { type Rule, sourceRule } from './rule.ts'
import { dottedName, type Hit, isTest, type Source } from './source.ts'

const modifiers: ReadonlySet<string> = new Set(['only', 'skip', 'todo'])
const testFunctions = /^(?:t|test|it|describe|suite)$/

const allRun = sourceRule('all-tests-run', {
  applies: isTest,
  find(source) {
    const hits: Hit[] = []
    const add = (offset: number, word: string) =>
      hits.push({
        line: source.lineAt(offset),
        todo: `no \`${word}\`: mend the test or delete it`,
      })
    source.visit({
      CallExpression({ callee, arguments: values, start }) {
        const [object = '', member = ''] = (dottedName(callee) ?? '').split('.')
        if (!testFunctions.test(object)) return
        if (modifiers.has(member)) add(start, `.${member}`)
        for (const value of values) {
          if (value.type !== 'ObjectExpression') continue
          for (const property of value.properties) {
            if (property.type !== 'Property' || property.key.type !== 'Identifier') continue
            if (modifiers.has(property.key.name)) add(property.start, property.key.name)
          }
        }
      },
    })
    return hits
  },
})

/** Imported functions of these names are taken to assert, as in `expectProblem(…)`. */
const asserting = /^(?:assert|check|expect|verify|waitFor|waitUntil|eventually|until)/

const canFail = sourceRule('test-can-fail', {
  applies: isTest,
  find(source) {
    const functions = functionsOf(source)
    const asserts = closureOf(source, importedAsserts(source), functions)
    // A function of this file that defines tests is itself used like `test`.
    const definers = closureOf(source, new Set(['test', 'it']), functions)
    const hits: Hit[] = []
    source.visit({
      CallExpression({ callee, arguments: values, start, end }) {
        const name = dottedName(callee) ?? ''
        if (!definers.has(name) && !/^\w+\.test$/.test(name)) return
        const isDefinition = values.some(({ type }) => /Function/.test(type))
        const isInDefiner = functions.some(
          (definer) => definers.has(definer.name) && start > definer.start && end <= definer.end,
        )
        if (!isDefinition || isInDefiner || callsOneOf(source, asserts, { start, end })) return
        hits.push({
          line: source.lineAt(start),
          todo: 'this test cannot fail: assert something about what it did',
        })
      },
    })
    return hits
  },
})

function importedAsserts(source: Source): Set<string> {
  // A keyword, so it is nobody's name: `throw` asserts too.
  const names = new Set<string>(['throw'])
  source.visit({
    ImportDeclaration({ source: from, specifiers }) {
      const isAssert = /^node:assert/.test(from.value) || from.value === 'fast-check'
      for (const { local } of specifiers) {
        if (isAssert || asserting.test(local.name)) names.add(local.name)
      }
    },
  })
  return names
}

type NamedFunction = { readonly name: string; readonly start: number; readonly end: number }

function functionsOf(source: Source): NamedFunction[] {
  const functions: NamedFunction[] = []
  const add = (name: string, { start, end }: Node) => functions.push({ name, start, end })
  source.visit({
    FunctionDeclaration(node) {
      if (node.id !== null) add(node.id.name, node)
    },
    VariableDeclarator({ id, init }) {
      if (id.type === 'Identifier' && init?.type === 'ArrowFunctionExpression') add(id.name, init)
    },
  })
  return functions
}

/** `names`, and the functions of this file that call one of them, directly or not. */
function closureOf(
  source: Source,
  names: ReadonlySet<string>,
  functions: readonly NamedFunction[],
): Set<string> {
  const known = new Set(names)
  for (let sizeBefore = -1; sizeBefore !== known.size; ) {
    sizeBefore = known.size
    for (const { name, ...span } of functions) {
      if (!known.has(name) && callsOneOf(source, known, span)) known.add(name)
    }
  }
  return known
}

function callsOneOf(
  source: Source,
  names: ReadonlySet<string>,
  span: { start: number; end: number },
): boolean {
  let isFound = false
  const isInside = (node: { start: number; end: number }) =>
    node.start >= span.start && node.end <= span.end
  source.visit({
    CallExpression(node) {
      const [object = ''] = (dottedName(node.callee) ?? '').split('.')
      if (isInside(node) && names.has(object)) isFound = true
    },
    // A test that throws on purpose can fail as well.
    ThrowStatement(node) {
      if (isInside(node) && names.has('throw')) isFound = true
    },
  })
  return isFound
}

export const testRules: readonly Rule[] = [allRun, canFail]
