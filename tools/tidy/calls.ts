/** Time, chance and the environment are passed in (STYLE.md §6). */
import { type Rule, sourceRule } from './rule.ts'
import { dottedName, type Hit, isProduct } from './source.ts'

const clockMembers: ReadonlySet<string> = new Set([
  'Date.now',
  'performance.now',
  'process.hrtime',
  'process.uptime',
])
const timers: ReadonlySet<string> = new Set(['setTimeout', 'setInterval', 'setImmediate'])
const randomNames: ReadonlySet<string> = new Set([
  'randomUUID',
  'randomBytes',
  'randomInt',
  'randomFillSync',
  'getRandomValues',
])
const timerModules: ReadonlySet<string> = new Set([
  'node:timers',
  'node:timers/promises',
  'timers',
  'timers/promises',
])

const time = sourceRule('time', {
  applies: (path) => isProduct(path) && path !== 'src/base/clock.ts',
  find(source) {
    const hits: Hit[] = source.imports
      .filter(({ from }) => timerModules.has(from))
      .map(({ line }) => ({ line, todo: 'use the timers of the `Clock` that is passed in' }))
    const add = (offset: number, what: string) =>
      hits.push({
        line: source.lineAt(offset),
        todo: `no \`${what}\`: use the \`Clock\` that is passed in`,
      })
    source.visit({
      MemberExpression(node) {
        const name = withoutGlobal(dottedName(node) ?? '')
        if (clockMembers.has(name) || (timers.has(name) && name !== dottedName(node)))
          add(node.start, name)
      },
      CallExpression({ callee, start }) {
        if (callee.type === 'Identifier' && timers.has(callee.name)) add(start, callee.name)
        if (callee.type === 'Identifier' && callee.name === 'Date') add(start, 'Date()')
      },
      NewExpression({ callee, arguments: values, start }) {
        const isNow = callee.type === 'Identifier' && callee.name === 'Date' && values.length === 0
        if (isNow) add(start, 'new Date()')
      },
    })
    return hits
  },
})

const chance = sourceRule('chance', {
  applies: (path) => isProduct(path) && path !== 'src/base/random.ts',
  find(source) {
    const hits: Hit[] = []
    const add = (offset: number, what: string) =>
      hits.push({
        line: source.lineAt(offset),
        todo: `no \`${what}\`: use the \`Random\` that is passed in`,
      })
    source.visit({
      MemberExpression(node) {
        const name = withoutGlobal(dottedName(node) ?? '')
        const [object = '', member = ''] = name.split('.')
        const isRandom = /crypto/i.test(object) && randomNames.has(member)
        if (name === 'Math.random' || isRandom) add(node.start, name)
      },
      ImportDeclaration(node) {
        if (!/^(?:node:)?crypto$/.test(node.source.value)) return
        for (const specifier of node.specifiers) {
          if (specifier.type !== 'ImportSpecifier') continue
          const { imported } = specifier
          const name = imported.type === 'Identifier' ? imported.name : ''
          if (randomNames.has(name)) add(specifier.start, name)
        }
      },
    })
    return hits
  },
})

const environment = sourceRule('environment', {
  applies: (path) => isProduct(path) && path !== 'src/main.ts',
  find(source) {
    const hits: Hit[] = []
    const add = (offset: number) =>
      hits.push({
        line: source.lineAt(offset),
        todo: 'the environment is read in src/main.ts only: take a record of variables as a parameter',
      })
    source.visit({
      MemberExpression(node) {
        if (withoutGlobal(dottedName(node) ?? '') === 'process.env') add(node.start)
      },
      VariableDeclarator({ init, id }) {
        if (init === null || dottedName(init) !== 'process' || id.type !== 'ObjectPattern') return
        for (const property of id.properties) {
          const isEnv =
            property.type === 'Property' &&
            property.key.type === 'Identifier' &&
            property.key.name === 'env'
          if (isEnv) add(property.start)
        }
      },
      ImportDeclaration(node) {
        if (!/^(?:node:)?process$/.test(node.source.value)) return
        for (const specifier of node.specifiers)
          if (specifier.local.name === 'env') add(specifier.start)
      },
    })
    return hits
  },
})

function withoutGlobal(name: string): string {
  return name.replace(/^globalThis\./, '')
}

export const callRules: readonly Rule[] = [time, chance, environment]
