/** Reads a configuration file into resources, without the checks across objects. */
import { parse } from 'yaml'
import { s } from '../../src/base/schema.ts'
import { defaultWorkspace, type Resource } from '../../src/kinds/define-kind.ts'
import { kinds } from '../../src/kinds/index.ts'

const fileSchema = s.record(s.string(), s.unknown())
const listSchema = s.array(s.looseObject({ name: s.string() }))

export function resourcesOfYaml(text: string): Resource[] {
  const file = fileSchema.parse(parse(text))
  return kinds.flatMap(({ kind, plural, isSingleton, spec, expand }): Resource[] => {
    const written =
      isSingleton === true
        ? file[kind.toLowerCase()] === undefined
          ? []
          : [{ name: 'default', ...fileSchema.parse(file[kind.toLowerCase()]) }]
        : listSchema.parse(file[plural] ?? [])
    return written.map(({ name, ...rest }) => ({
      kind,
      name,
      workspace: defaultWorkspace,
      labels: {},
      spec: expand(spec.parse(rest)),
    }))
  })
}
