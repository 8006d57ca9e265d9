/** Files and functions that one can take in (STYLE.md §3). */
import { type Rule, sourceRule } from './rule.ts'
import type { Hit, Source } from './source.ts'

export const fileLinesMax = 600
export const functionLinesMax = 70

const fileSize = sourceRule('file-size', {
  find({ text }) {
    const count = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
    if (count <= fileLinesMax) return []
    return [
      {
        line: fileLinesMax + 1,
        todo: `${count} lines, at most ${fileLinesMax}: split it by ideas`,
      },
    ]
  },
})

const functionSize = sourceRule('function-size', {
  find(source) {
    const isCode = codeLines(source)
    const hits: Hit[] = []
    const check = (body: { start: number; end: number } | null, start: number) => {
      if (body === null) return
      // The lines of the braces belong to signature and end.
      let count = 0
      for (let line = source.lineAt(body.start) + 1; line < source.lineAt(body.end); line++) {
        if (isCode.has(line)) count++
      }
      if (count <= functionLinesMax) return
      hits.push({
        line: source.lineAt(start),
        todo: `function of ${count} lines of code, at most ${functionLinesMax}: move straight-line parts into functions of their own`,
      })
    }
    source.visit({
      FunctionDeclaration: (node) => check(node.body, node.start),
      FunctionExpression: (node) => check(node.body, node.start),
      ArrowFunctionExpression: (node) => check(node.body, node.start),
    })
    return hits
  },
})

/** Lines with something other than blanks and comments. */
function codeLines({ text, comments, lineAt }: Source): Set<number> {
  const lines = new Set<number>()
  let position = 0
  const add = (end: number) => {
    for (const match of text.slice(position, end).matchAll(/\S+/g))
      lines.add(lineAt(position + match.index))
  }
  for (const comment of comments) {
    add(comment.start)
    position = comment.end
  }
  add(text.length)
  return lines
}

export const sizeRules: readonly Rule[] = [fileSize, functionSize]
