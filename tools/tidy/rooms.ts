/** Rules about what may import what (STYLE.md §1, the levels of rooms). */
import { type Rule, sourceRule } from './rule.ts'
import { type Hit, isProduct, isTest, resolveImport, type Source } from './source.ts'

/** From the bottom up. Rooms on one line never import each other. */
export const levels: readonly (readonly string[])[] = [
  ['base'],
  ['kinds'],
  ['wire', 'store', 'compare'],
  ['accounts', 'ledger', 'telemetry'],
  ['proxy'],
  ['ai', 'upgrade'],
  ['control'],
  ['manage'],
  ['run', 'cli'],
  ['main.ts', 'policy.ts'],
]

const levelOfRoom = new Map(levels.flatMap((rooms, level) => rooms.map((room) => [room, level])))

/** `src/proxy/x.ts` lies in `proxy`; `src/main.ts` is a room of its own. */
export function roomOf(path: string): string | undefined {
  const [top, room] = path.split('/')
  return top === 'src' ? room : undefined
}

const importDirection = sourceRule('import-direction', {
  applies: isProduct,
  find(source) {
    const room = roomOf(source.path) ?? ''
    const level = levelOfRoom.get(room)
    if (level === undefined) {
      return [
        { line: 1, todo: `\`src/${room}\` is no room: move the file, or add it to the levels` },
      ]
    }
    return source.imports.flatMap((edge): Hit[] => {
      const target = resolveImport(source.path, edge.from)
      if (target === undefined) return []
      const todo = directionProblem(room, level, target)
      return todo === undefined ? [] : [{ line: edge.line, todo }]
    })
  },
})

function directionProblem(room: string, level: number, target: string): string | undefined {
  const targetRoom = roomOf(target)
  if (targetRoom === room) return undefined
  if (targetRoom === undefined)
    return `\`${target}\` is outside src/: product code imports none of it`
  const targetLevel = levelOfRoom.get(targetRoom)
  if (targetLevel === undefined || targetLevel < level) return undefined
  return targetLevel === level
    ? `\`${room}\` and \`${targetRoom}\` are on one level: have main.ts hand the value across, or move what both need down`
    : `\`${room}\` lies below \`${targetRoom}\`: pass the value in, or move what both need down`
}

/** Tests may reach their own room and those below, test/support, and nothing above. */
const testReach = sourceRule('test-reach', {
  applies: (path) => path.startsWith('src/') && isTest(path),
  find(source) {
    const room = roomOf(source.path) ?? ''
    const level = levelOfRoom.get(room) ?? levels.length
    return source.imports.flatMap((edge): Hit[] => {
      const targetRoom = roomOf(resolveImport(source.path, edge.from) ?? '')
      const targetLevel = targetRoom === undefined ? -1 : (levelOfRoom.get(targetRoom) ?? -1)
      if (targetLevel <= level) return []
      return [
        {
          line: edge.line,
          todo: `a test in \`${room}\` uses \`${targetRoom}\`, which lies above: move it up or to test/`,
        },
      ]
    })
  },
})

const portable = ['src/base/', 'src/kinds/']
const pure = ['src/upgrade/', 'src/compare/']
const compile = 'src/control/compile/'

/** Computation only: neither touches the world nor the clock. */
const computing: ReadonlySet<string> = new Set([
  'node:assert',
  'node:buffer',
  'node:crypto',
  'node:util',
])

const purity = sourceRule('purity', {
  applies: (path) =>
    isProduct(path) && [...portable, ...pure, compile].some((room) => path.startsWith(room)),
  find: (source) => [...nodeImports(source), ...clockImports(source), ...worldGlobals(source)],
})

function nodeImports(source: Source): Hit[] {
  const isCompile = source.path.startsWith(compile)
  return source.imports
    .filter(({ from }) => from.startsWith('node:') && !(isCompile && computing.has(from)))
    .map(({ from, line }) => ({
      line,
      todo: `no \`${from}\` here: this code decides, a shell in another room acts; pass in what it needs`,
    }))
}

/** `upgrade/`, `compare/` and `control/compile/` are told the time, they never ask. */
function clockImports(source: Source): Hit[] {
  if (portable.some((room) => source.path.startsWith(room))) return []
  return source.imports
    .filter(({ from }) => /\/base\/(?:clock|random)\.ts$/.test(from))
    .map(({ line }) => ({ line, todo: 'pass the time or the number in as a value' }))
}

const worldNames: ReadonlySet<string> = new Set([
  'process',
  'fetch',
  'WebSocket',
  'Buffer',
  'require',
])

function worldGlobals(source: Source): Hit[] {
  const hits: Hit[] = []
  const mayUseBuffer = source.path.startsWith(compile)
  // `typeof process` asks where we are, and so the rest of the file knows that it may be absent.
  const asked = new Set<string>()
  source.visit({
    UnaryExpression({ operator, argument }) {
      if (operator === 'typeof' && argument.type === 'Identifier') asked.add(argument.name)
    },
  })
  const check = (name: string, offset: number) => {
    if (!worldNames.has(name) || asked.has(name) || (name === 'Buffer' && mayUseBuffer)) return
    hits.push({
      line: source.lineAt(offset),
      todo: `no \`${name}\` here: it is not pure or not in browsers`,
    })
  }
  source.visit({
    MemberExpression({ object }) {
      if (object.type === 'Identifier') check(object.name, object.start)
    },
    CallExpression({ callee }) {
      if (callee.type === 'Identifier') check(callee.name, callee.start)
    },
    NewExpression({ callee }) {
      if (callee.type === 'Identifier') check(callee.name, callee.start)
    },
  })
  return hits
}

export const roomRules: readonly Rule[] = [importDirection, testReach, purity]
