/** A plan for people: per object what happens, which fields change, and what callers notice. */
import type { PlannedChangeView, PlanView } from '../admin-calls.ts'
import type { Paint } from '../terminal.ts'
import { diffHunks, diffLines } from './line-diff.ts'

/** `brief`: a line per object; `normal`: changed fields; `full`: also every field of what is new or goes. */
export type PlanDetail = 'brief' | 'normal' | 'full'

const valueCharactersMax = 80

export function renderPlan(plan: PlanView, detail: PlanDetail, paint: Paint): string {
  const objects = plan.changes.map((change) => renderChange(change, detail, paint).join('\n'))
  return [...objects, ...(objects.length > 0 ? [''] : []), summarisePlan(plan)].join('\n')
}

export function hasDifference(plan: PlanView): boolean {
  return plan.changes.length > 0
}

/** `Plan: 1 to create, 2 to change, 0 to delete; 4 unchanged, 1 only on the server.` */
export function summarisePlan({ counts, baseRevision }: PlanView): string {
  const rest = [
    `${counts.unchanged} unchanged`,
    ...(counts.onlyOnServer > 0 ? [`${counts.onlyOnServer} only on the server`] : []),
  ].join(', ')
  if (counts.create + counts.change + counts.delete === 0) {
    return `No difference to revision ${baseRevision}: ${rest}.`
  }
  return `Plan against revision ${baseRevision}: ${counts.create} to create, ${counts.change} to change, ${counts.delete} to delete; ${rest}.`
}

function renderChange(change: PlannedChangeView, detail: PlanDetail, paint: Paint): string[] {
  const object = `${change.key.kind}/${change.key.name}`
  const head = {
    create: () => paint.green(`+ create ${object}`),
    change: () => paint.yellow(`~ change ${object}`),
    delete: () => paint.red(`- delete ${object}`),
  }[change.action]()
  const effects = change.effects.map((effect) => paint.dim(`    effect: ${effect}`))
  if (detail === 'brief') return [head]
  const showsFields = change.action === 'change' || detail === 'full'
  const fields = showsFields
    ? change.fields.flatMap((field) => renderField(field, { isFull: detail === 'full', paint }))
    : []
  return [head, ...fields, ...effects]
}

type Field = PlannedChangeView['fields'][number]

function renderField(field: Field, options: { isFull: boolean; paint: Paint }): string[] {
  const { paint } = options
  if (isString(field.before) && isString(field.after) && isLong(field.before + field.after)) {
    const lines = diffLines(field.before, field.after)
    return [
      `    ${field.path}:`,
      ...(options.isFull ? lines : diffHunks(lines)).map((line) => {
        const text = `      ${line.mark} ${line.text}`
        if (line.mark === '+') return paint.green(text)
        return line.mark === '-' ? paint.red(text) : text
      }),
    ]
  }
  const show = (value: unknown) => printValue(value, options.isFull)
  if (field.before === undefined) return [`    ${field.path}: ${paint.green(show(field.after))}`]
  if (field.after === undefined) {
    return [`    ${field.path}: ${paint.red(show(field.before))} → (removed)`]
  }
  return [`    ${field.path}: ${paint.red(show(field.before))} → ${paint.green(show(field.after))}`]
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isLong(text: string): boolean {
  return text.includes('\n')
}

function printValue(value: unknown, isFull: boolean): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return isFull || text.length <= valueCharactersMax
    ? text
    : `${text.slice(0, valueCharactersMax - 1)}…`
}
