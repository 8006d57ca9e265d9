/** A whole configuration document in a body: what a file would hold, but for what only files can do. */
import { isMap, isScalar } from 'yaml'
import { HeadgateError } from '../../base/errors.ts'
import { isProblemLike } from '../../base/problem.ts'
import { parseConfig, type RawDocument, type SourceFile } from '../files/parse.ts'
import { readYaml } from '../files/yaml-tree.ts'
import { formatPlace, type Problem } from '../problem.ts'
import { inTermsOfBody } from './resource-body.ts'

export type ConfigDocument = {
  readonly documents: readonly RawDocument[]
  /** Adds line and column to the problems of an error that is about these documents. */
  withLocations(thrown: unknown): unknown
}

/** Reads the document; throws `config.invalid` with every problem. Variables stay undefined. */
export function readConfigDocument(text: string): ConfigDocument {
  const file = { name: 'body', text }
  const { documents, problems } = parseConfig([file], {})
  const all = [...includeProblems(file), ...problems]
  const first = all.find(({ severity }) => severity === 'error')
  if (first !== undefined) {
    const place = first.location === undefined ? '' : `${formatPlace(first.location)}: `
    const error = new HeadgateError('config.invalid', {
      message: `${place}${first.message}`,
      detail: { problems: all },
    })
    throw inTermsOfBody(error, () => undefined)
  }
  const byObject = new Map(documents.map((each) => [`${each.kind}/${each.name}`, each]))
  return { documents, withLocations: (thrown) => located(thrown, byObject) }
}

/** To leave an `include` out without a word could delete, with `prune`, all that it brings. */
function includeProblems(file: SourceFile): Problem[] {
  if (!file.text.includes('include')) return []
  const tree = readYaml(file)
  const keys = tree.roots.flatMap((root) => (isMap(root) ? root.items.map(({ key }) => key) : []))
  return keys
    .filter((key) => isScalar(key) && key.value === 'include')
    .map((key) => {
      const offset = isScalar(key) ? key.range?.[0] : undefined
      return {
        severity: 'error',
        code: 'config.bad_value',
        path: ['include'],
        message:
          'works in files only: the gateway does not see yours; send all of it in one document',
        ...(offset !== undefined && { location: tree.place(offset) }),
      }
    })
}

function located(thrown: unknown, documents: ReadonlyMap<string, RawDocument>): unknown {
  if (!(thrown instanceof HeadgateError) || !Array.isArray(thrown.detail.problems)) return thrown
  const problems = thrown.detail.problems.filter(isProblemLike).map((problem) => {
    const place = problem.code === 'config.unknown_key' ? 'key' : 'value'
    const location =
      problem.location ?? documents.get(problem.object ?? '')?.locate(problem.path, place)
    return location === undefined ? problem : { ...problem, location }
  })
  const { code, message, cause, detail } = thrown
  return new HeadgateError(code, { message, cause, detail: { ...detail, problems } })
}
