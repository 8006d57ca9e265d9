/** `-o`: how data is written. JSON is the object of the admin API, unchanged; tables are for people. */
import { stringify } from 'yaml'
import { s } from '../../base/schema.ts'
import type { OptionDefinition } from '../define-command.ts'
import { evaluateJsonPath } from './jsonpath.ts'

const formatWords = ['table', 'wide', 'json', 'yaml', 'name'] as const

export type OutputFormat =
  | { readonly type: (typeof formatWords)[number] }
  | { readonly type: 'jsonpath'; readonly template: string }

export const outputOption: OptionDefinition = {
  flags: '-o, --output <format>',
  summary: 'table, wide, json, yaml, name or jsonpath=TEMPLATE.',
  defaultText: 'table',
  completion: { type: 'words', words: [...formatWords, 'jsonpath='] },
}

/** For commands whose data is one object rather than a list. */
export const dataOutputOption: OptionDefinition = {
  flags: '-o, --output <format>',
  summary: 'text, json or yaml.',
  defaultText: 'text',
  completion: { type: 'words', words: ['text', 'json', 'yaml'] },
}

export const dataOutputInput = s
  .enum(['text', 'json', 'yaml'], { error: 'must be `text`, `json` or `yaml`' })
  .default('text')

export const outputInput = s
  .string()
  .max(4_096)
  .default('table')
  .transform((text, context): OutputFormat => {
    if (text.startsWith('jsonpath=')) {
      return { type: 'jsonpath', template: text.slice('jsonpath='.length) }
    }
    const type = formatWords.find((word) => word === text)
    if (type !== undefined) return { type }
    context.addIssue({
      code: 'custom',
      message: 'must be `table`, `wide`, `json`, `yaml`, `name` or `jsonpath=TEMPLATE`',
    })
    return s.NEVER
  })

export function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2)
}

/** Without line folding, so that what is copied from it stays whole. */
export function toYamlText(value: unknown): string {
  return stringify(value, { lineWidth: 0 }).trimEnd()
}

/** The formats that do not depend on what the value is; undefined for those that do. */
export function formatPlain(format: OutputFormat, value: unknown): string | undefined {
  if (format.type === 'json') return toJson(value)
  if (format.type === 'yaml') return toYamlText(value)
  if (format.type === 'jsonpath') return evaluateJsonPath(format.template, value)
  return undefined
}
