/** Which maps and lists stand on one line, in brackets, and which are opened. */
import { isMap, isScalar, isSeq, type Node, visit } from 'yaml'

/** Characters that a collection takes on one line, about: quotes are not counted. */
export function widthOf(node: unknown): number {
  if (isScalar(node)) return String(node.value).length
  if (isSeq(node)) return 2 + node.items.reduce<number>((sum, item) => sum + widthOf(item) + 2, 0)
  if (!isMap(node)) return 0
  return 4 + node.items.reduce((sum, { key, value }) => sum + widthOf(key) + widthOf(value) + 4, 0)
}

/** Whether it can stand on one line at all: without comments and without text of several lines. */
export function fitsOnLine(node: Node, charactersMax: number): boolean {
  let isSingle = true
  visit(node, {
    Node: (_, inner) => {
      const hasComment =
        inner !== node && typeof (inner.commentBefore ?? inner.comment) === 'string'
      const hasLines =
        isScalar(inner) && typeof inner.value === 'string' && inner.value.includes('\n')
      if (hasComment || hasLines) isSingle = false
    },
  })
  return isSingle && widthOf(node) <= charactersMax
}
