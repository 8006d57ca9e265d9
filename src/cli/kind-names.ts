/** Finds kinds by what people type: `route`, `routes`, `Route`, `policy-sets`. */
import type { KindDefinition } from '../kinds/define-kind.ts'
import { kinds } from '../kinds/index.ts'
import { usageError } from './report-error.ts'
import { didYouMean } from '../base/did-you-mean.ts'

/** `policySets` to `policy-sets`. */
export function kebabCase(word: string): string {
  return word.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()
}

/** The word on the command line: `policy-sets`. In paths of the admin API it is `kind.plural`. */
export function collectionOf(kind: KindDefinition): string {
  return kebabCase(kind.plural)
}

function spellings(kind: KindDefinition): string[] {
  return [
    ...new Set([
      collectionOf(kind),
      kebabCase(kind.kind),
      kind.plural.toLowerCase(),
      kind.kind.toLowerCase(),
    ]),
  ]
}

/** The words that completion offers. */
export function kindWords(): string[] {
  return kinds.map(collectionOf)
}

/** Throws a usage error with the nearest kind when there is none of that name. */
export function findKind(word: string): KindDefinition {
  const wanted = word.toLowerCase()
  const kind = kinds.find((candidate) => spellings(candidate).includes(wanted))
  if (kind !== undefined) return kind
  const meant = didYouMean(word, kinds.flatMap(spellings))
  throw usageError(
    `there is no kind \`${word}\``,
    meant === undefined ? `one of: ${kindWords().join(', ')}` : `\`${meant}\` (did you mean that?)`,
  )
}

/** Splits `route/books` and `route books` into kind and name. */
export function parseObjectWords(
  kindWord: string,
  nameWord: string | undefined,
): { kind: KindDefinition; name: string | undefined } {
  const slash = kindWord.indexOf('/')
  if (slash === -1) return { kind: findKind(kindWord), name: nameWord }
  const kind = findKind(kindWord.slice(0, slash))
  const name = kindWord.slice(slash + 1)
  if (name !== '' && (nameWord === undefined || nameWord === name)) return { kind, name }
  throw usageError(
    `\`${kindWord}\` names the object already`,
    `headgate get ${collectionOf(kind)} ${nameWord ?? 'NAME'}`,
  )
}
