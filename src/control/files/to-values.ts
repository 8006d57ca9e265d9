/** From YAML nodes to plain JSON-like values, with variables filled in and every limit watched. */
import { isAlias, isMap, isScalar, isSeq, type Scalar, type YAMLMap } from 'yaml'
import type { ErrorCode } from '../../base/errors.ts'
import { formatPlace, type Problem } from '../problem.ts'
import { aliasedValuesMax, nestingMax, problemsMax } from './limits.ts'
import { type Environment, substitute } from './variables.ts'
import { isMergeKey, keyText, mergedMaps, offsetOf, resolved, type YamlTree } from './yaml-tree.ts'

/** Counts down over all files, so that many small ones cannot do what one large may not. */
export type ValueBudget = { valuesLeft: number }

export class ValueReader {
  readonly problems: Problem[] = []
  /** Places of values that could not be made out: what else is wrong with them is an echo. */
  readonly unfilled = new Set<string>()
  readonly #tree: YamlTree
  readonly #env: Environment
  readonly #budget: ValueBudget
  /** Aliases being followed: meeting one again means it holds itself. */
  readonly #following = new Set<unknown>()
  /** Variables whose absence was reported, by place: an alias must not repeat it. */
  readonly #reported = new Set<string>()
  #aliasedValues = 0
  #isExhausted = false

  constructor(tree: YamlTree, env: Environment, budget: ValueBudget) {
    this.#tree = tree
    this.#env = env
    this.#budget = budget
  }

  /** Records a problem at a node, or at an offset of the text. */
  report(code: ErrorCode, at: unknown, message: string, path: readonly (string | number)[] = []) {
    const offset = (typeof at === 'number' ? at : offsetOf(at)) ?? 0
    const key = `${code} ${offset}`
    if (this.#reported.has(key) || this.problems.length >= problemsMax) return
    this.#reported.add(key)
    const location = this.#tree.place(offset)
    this.problems.push({ severity: 'error', code, path, message, location })
  }

  /** The value of a node; what cannot be read is reported and becomes `null`. */
  read(node: unknown, depth = 0): unknown {
    if (!this.#spend(node, depth)) return null
    if (isAlias(node)) return this.#readAlias(node, depth)
    if (isScalar(node)) return this.#readScalar(node)
    if (isSeq(node)) return node.items.map((item) => this.read(item, depth + 1))
    return isMap(node) ? Object.fromEntries(this.entries(node, depth)) : null
  }

  /** The entries of a map, own ones first, with merges resolved and duplicates reported. */
  entries(map: YAMLMap, depth = 0): Map<string, unknown> {
    const entries = new Map<string, unknown>()
    // Maps that merge maps that merge maps nest as well, though not in what is written.
    if (depth > nestingMax) {
      this.#reportDepth(map)
      return entries
    }
    const keyOffsets = new Map<string, number>()
    for (const pair of map.items) {
      if (isMergeKey(pair)) continue
      const key = this.#readKey(pair.key)
      if (key === undefined) continue
      const firstOffset = keyOffsets.get(key)
      if (firstOffset !== undefined) {
        const { line } = this.#tree.place(firstOffset)
        const message = `stands here and in line ${line}; keep one of the two`
        this.report('config.duplicate_value', pair.key, message, [key])
        continue
      }
      keyOffsets.set(key, offsetOf(pair.key) ?? 0)
      entries.set(key, this.read(pair.value, depth + 1))
    }
    this.#merge(map, entries, depth)
    return entries
  }

  #merge(map: YAMLMap, entries: Map<string, unknown>, depth: number): void {
    for (const pair of map.items.filter(isMergeKey)) {
      if (mergedMaps(this.#tree, map).length === 0)
        this.report('config.bad_value', pair.key, '`<<` must name a map, as in `<<: *base`')
    }
    for (const source of mergedMaps(this.#tree, map)) {
      if (this.#following.has(source) || source === map) {
        this.report('config.syntax', source, 'the map is merged into itself')
        continue
      }
      this.#following.add(source)
      for (const [key, value] of this.entries(source, depth + 1)) {
        if (this.#isAliasBudgetSpent(source)) break
        if (!entries.has(key)) entries.set(key, value)
      }
      this.#following.delete(source)
    }
  }

  #readKey(key: unknown): string | undefined {
    const text = keyText(isAlias(key) ? resolved(this.#tree, key) : key)
    if (text === undefined) {
      this.report('config.bad_value', key, 'a key must be a word or text in quotes')
      return undefined
    }
    if (text === '__proto__') {
      this.report('config.unknown_key', key, 'the key `__proto__` is not allowed')
      return undefined
    }
    return text
  }

  #readAlias(alias: unknown, depth: number): unknown {
    if (!isAlias(alias)) return null
    const target = this.#tree.targetOf(alias)
    if (target === undefined) {
      const message = `there is no anchor \`&${alias.source}\` above this alias; put text that begins with \`*\` in quotes`
      this.report('config.syntax', alias, message)
      this.unfilled.add(formatPlace(this.#tree.place(offsetOf(alias) ?? 0)))
      return null
    }
    if (this.#following.has(target)) {
      this.report('config.syntax', alias, `the alias \`*${alias.source}\` holds itself`)
      return null
    }
    this.#following.add(target)
    const value = this.read(target, depth)
    this.#following.delete(target)
    return value
  }

  #readScalar(scalar: Scalar): unknown {
    const { value } = scalar
    if (typeof value === 'string') return this.#readText(scalar, value)
    if (typeof value === 'number') {
      if (Number.isFinite(value)) return value === 0 ? 0 : value
      this.report('config.bad_value', scalar, 'the number must be finite')
      return null
    }
    return typeof value === 'boolean' ? value : null
  }

  #readText(scalar: Scalar, written: string): unknown {
    const { text, hasVariables, mistakes } = substitute(written, this.#env)
    if (mistakes.length > 0) this.unfilled.add(formatPlace(this.#tree.place(offsetOf(scalar) ?? 0)))
    for (const mistake of mistakes) {
      const sought = mistake.type === 'undefined' ? `\${${mistake.name}` : '${'
      const offset = this.#offsetInside(scalar, sought)
      if (mistake.type === 'undefined') {
        const message = `\`${mistake.name}\` is not set; set it, or write a default: \`\${${mistake.name}:-default}\``
        this.report('config.undefined_variable', offset, message)
      } else {
        const message =
          '`${` must be followed by a name and `}`, as in `${HOME}`; a literal dollar sign is `$$`'
        this.report('config.bad_value', offset, message)
      }
    }
    // Unquoted text is read again, as if the value had been written there; quoted text stays text.
    return hasVariables && scalar.type === 'PLAIN' && mistakes.length === 0 ? retyped(text) : text
  }

  #offsetInside(scalar: Scalar, sought: string): number {
    const [start, end] = scalar.range ?? [0, 0]
    const index = this.#tree.file.text.indexOf(sought, start)
    return index !== -1 && index < end ? index : start
  }

  /** Takes one value from the budgets; false when nothing may be read any more. */
  #spend(node: unknown, depth: number): boolean {
    if (this.#isExhausted) return false
    this.#budget.valuesLeft--
    if (depth > nestingMax && !isScalar(node)) {
      this.#reportDepth(node)
      return false
    }
    if (this.#budget.valuesLeft < 0) {
      this.#isExhausted = true
      this.report('config.too_large', node, 'the configuration holds too many values')
      return false
    }
    return !this.#isAliasBudgetSpent(node)
  }

  #reportDepth(node: unknown): void {
    const message = `maps and lists must not be nested deeper than ${nestingMax} levels`
    this.report('config.too_large', node, message)
  }

  #isAliasBudgetSpent(node: unknown): boolean {
    if (this.#following.size > 0) this.#aliasedValues++
    if (this.#aliasedValues <= aliasedValuesMax) return false
    if (!this.#isExhausted) {
      const message = `the aliases of this file stand for more than ${aliasedValuesMax} values`
      this.report('config.too_large', node, message)
    }
    this.#isExhausted = true
    return true
  }
}

function retyped(text: string): unknown {
  if (text === 'true') return true
  if (text === 'false') return false
  return /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/.test(text) ? Number(text) : text
}
