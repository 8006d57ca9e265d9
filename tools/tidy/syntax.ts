/** Forms of the language that we do without (STYLE.md §3, §4, §5, §7). */
import { type Rule, sourceRule } from './rule.ts'
import type { Hit } from './source.ts'

const noAny = sourceRule('no-any', {
  find(source) {
    const hits: Hit[] = []
    source.visit({
      TSAnyKeyword: ({ start }) =>
        void hits.push({
          line: source.lineAt(start),
          todo: 'write `unknown` and narrow it, or the real type',
        }),
    })
    return hits
  },
})

const noEnum = sourceRule('no-enum', {
  find(source) {
    const hits: Hit[] = []
    source.visit({
      TSEnumDeclaration: ({ start }) =>
        void hits.push({ line: source.lineAt(start), todo: 'write a union of string literals' }),
    })
    return hits
  },
})

/** A cast or `!` silences the compiler, so a comment has to say why it is right. */
const noCast = sourceRule('no-cast', {
  find(source) {
    const hits: Hit[] = []
    const check = (offsets: readonly number[], todo: string) => {
      if (offsets.some((offset) => source.hasCommentNear(offset))) return
      hits.push({ line: source.lineAt(offsets[0] ?? 0), todo })
    }
    const todo = 'no `as`: narrow with a schema or a type guard, or say in a comment why it holds'
    source.visit({
      TSAsExpression({ start, typeAnnotation }) {
        const isConst =
          typeAnnotation.type === 'TSTypeReference' &&
          typeAnnotation.typeName.type === 'Identifier' &&
          typeAnnotation.typeName.name === 'const'
        if (!isConst) check([typeAnnotation.start, start], todo)
      },
      TSTypeAssertion: ({ start }) => check([start], todo),
      TSNonNullExpression: ({ start, end }) =>
        check([end - 1, start], 'no `!`: handle the absent case, or say in a comment why it holds'),
      PropertyDefinition({ start, definite }) {
        if (definite === true) check([start], 'no `!`: set the field in the constructor')
      },
    })
    return hits
  },
})

const noDefaultExport = sourceRule('no-default-export', {
  find(source) {
    const hits: Hit[] = []
    source.visit({
      ExportDefaultDeclaration({ start }) {
        if (source.hasCommentNear(start)) return
        hits.push({
          line: source.lineAt(start),
          todo: 'export it by its name, or say in a comment who loads the default',
        })
      },
    })
    return hits
  },
})

const noBarrel = sourceRule('no-barrel', {
  applies: (path) => !/^src\/base\/schema[a-z-]*\.ts$/.test(path),
  find(source) {
    const hits: Hit[] = []
    source.visit({
      ExportAllDeclaration: ({ start }) =>
        void hits.push({
          line: source.lineAt(start),
          todo: 'no `export *`: import from the file that has it',
        }),
      ExportNamedDeclaration(node) {
        if (node.source === null || !/(?:^|\/)index\.ts$/.test(source.path)) return
        hits.push({
          line: source.lineAt(node.start),
          todo: '`index.ts` is a registry, not a barrel: import from the file that has it',
        })
      },
    })
    return hits
  },
})

const noBareCatch = sourceRule('no-bare-catch', {
  find(source) {
    const hits: Hit[] = []
    const check = (body: { start: number; end: number; body: readonly unknown[] }) => {
      const hasComment = source.comments.some(
        ({ start, end }) => start > body.start && end < body.end,
      )
      if (body.body.length > 0 || hasComment) return
      hits.push({
        line: source.lineAt(body.start),
        todo: 'nothing is swallowed: act on the error, or say in a comment why ignoring it is right',
      })
    }
    source.visit({
      CatchClause: ({ body }) => check(body),
      CallExpression({ callee, arguments: [callback] }) {
        const isCatch =
          callee.type === 'MemberExpression' &&
          callee.property.type === 'Identifier' &&
          callee.property.name === 'catch'
        if (!isCatch || callback?.type !== 'ArrowFunctionExpression') return
        if (callback.body.type === 'BlockStatement') check(callback.body)
      },
    })
    return hits
  },
})

const todoNumber = sourceRule('todo-number', {
  find: (source) =>
    source.comments
      .filter(({ value }) => /\b(?:TODO|FIXME|XXX)\b(?!\s*\(?#\d)/.test(value))
      .map(({ start }) => ({
        line: source.lineAt(start),
        todo: 'do it now, or name the issue: `TODO #123`',
      })),
})

export const syntaxRules: readonly Rule[] = [
  noAny,
  noEnum,
  noCast,
  noDefaultExport,
  noBarrel,
  noBareCatch,
  todoNumber,
]
