import { isMap, isSeq, type YAMLMap } from 'yaml'
import type { KindDefinition } from '../../kinds/define-kind.ts'
import { singletonKey } from './sections.ts'
import { keyText } from './yaml-tree.ts'

/** The entries of a kind in the map of a file; for a singleton its one map. */
export function itemsOf(root: YAMLMap, kind: KindDefinition): YAMLMap[] {
  const key = kind.isSingleton === true ? singletonKey(kind) : kind.plural
  const value = root.items.find((pair) => keyText(pair.key) === key)?.value
  if (kind.isSingleton === true) return isMap(value) ? [value] : []
  return isSeq(value) ? value.items.filter(isMap) : []
}
