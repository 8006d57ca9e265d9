import type { Finding, Hit, Source, TextFile } from './source.ts'

/** Everything that git knows of, or would if it were added. */
export type Repository = {
  /** Text files of any kind. */
  readonly files: readonly TextFile[]
  /** Those of them that are TypeScript, parsed. */
  readonly sources: readonly Source[]
}

export type Rule = {
  readonly name: string
  check(repository: Repository): Finding[]
}

/** A rule that looks at one source at a time. */
export function sourceRule(
  name: string,
  options: { applies?: (path: string) => boolean; find: (source: Source) => Hit[] },
): Rule {
  const { applies = () => true, find } = options
  return {
    name,
    check: ({ sources }) =>
      sources
        .filter((source) => applies(source.path))
        .flatMap((source) =>
          find(source).map((hit) => ({ ...hit, path: source.path, rule: name })),
        ),
  }
}

/** A rule that looks at one text at a time, line by line. */
export function textRule(
  name: string,
  options: { applies?: (path: string) => boolean; find: (line: string) => string | undefined },
): Rule {
  const { applies = () => true, find } = options
  return {
    name,
    check: ({ files }) =>
      files
        .filter((file) => applies(file.path))
        .flatMap(({ path, text }) =>
          text.split('\n').flatMap((line, index) => {
            const todo = find(line)
            return todo === undefined ? [] : [{ path, line: index + 1, rule: name, todo }]
          }),
        ),
  }
}
