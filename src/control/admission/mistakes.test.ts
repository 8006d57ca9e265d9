/**
 * Typical mistakes and exactly what is said about them. `__fixtures__/mistakes.txt` reads like a
 * page of examples: a title, the file as somebody wrote it, `--`, and the output.
 */
import { equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { policyCatalog } from '../../proxy/policies/catalog.ts'
import { parseConfig } from '../files/parse.ts'
import { renderProblems } from '../files/render.ts'
import { admitParsed } from './admit.ts'

const page = readFileSync(new URL('__fixtures__/mistakes.txt', import.meta.url), 'utf8')
const catalog = policyCatalog()

type Mistake = { readonly title: string; readonly text: string; readonly output: string }

const mistakes = page
  .split(/^## /m)
  .slice(1)
  .map((section): Mistake => {
    const [heading = '', output = ''] = section.split('--\n')
    const lineEnd = heading.indexOf('\n')
    const [title, text] = [heading.slice(0, lineEnd), heading.slice(lineEnd + 1)]
    return { title, text, output: `${output.trimEnd()}\n` }
  })

for (const { title, text, output } of mistakes) {
  test(`this is said about ${title}`, () => {
    const files = [{ name: 'headgate.yaml', text }]
    const admission = admitParsed(parseConfig(files, {}), catalog)
    const problems = admission.ok ? admission.warnings : admission.problems
    equal(renderProblems(problems, files), output)
  })
}

test('the page has mistakes of every sort, and no secret gets into what is said', () => {
  ok(mistakes.length >= 40)
  for (const { title, output } of mistakes) ok(!output.includes('hunter2'), title)
})
