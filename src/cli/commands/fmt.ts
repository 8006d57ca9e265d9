import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { HeadgateError } from '../../base/errors.ts'
import { s } from '../../base/schema.ts'
import { formatConfig } from '../../control/files/format.ts'
import { renderProblems } from '../../control/files/render.ts'
import { readYaml } from '../../control/files/yaml-tree.ts'
import { type CommandContext, defineCommand } from '../define-command.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { findDefaultConfig } from '../find-config.ts'
import { diffHunks, diffLines } from '../output/line-diff.ts'
import { readAll } from '../read-input.ts'
import { usageError } from '../report-error.ts'

const fmtInput = s.object({
  paths: s.array(s.string().max(4_096)).max(1_000).default([]),
  write: s.boolean().default(false),
  check: s.boolean().default(false),
  diff: s.boolean().default(false),
  expand: s.boolean().default(false),
})

type FmtInput = s.infer<typeof fmtInput>

export const fmtCommand = defineCommand({
  path: 'fmt',
  summary: 'Print configuration files in the one canonical layout; comments stay.',
  examples: [
    { title: 'Look at it', command: 'headgate fmt headgate.yaml' },
    { title: 'Rewrite the files', command: 'headgate fmt --write conf/*.yaml' },
    {
      title: 'In CI: exit code 2 when a file is not formatted',
      command: 'headgate fmt --check --diff headgate.yaml',
    },
  ],
  args: [
    {
      name: 'paths',
      summary: 'Files; `-` for standard input; default ./headgate.yaml.',
      isVariadic: true,
      completion: { type: 'file' },
    },
  ],
  options: [
    { flags: '-w, --write', summary: 'Rewrite the files in place.' },
    { flags: '--check', summary: 'Change nothing and end with 2 when a file would change.' },
    { flags: '--diff', summary: 'Print what would change instead of the result.' },
    { flags: '--expand', summary: 'Write short forms out as the long ones they stand for.' },
  ],
  input: fmtInput.refine(
    (input) => !(input.write && (input.check || input.diff)),
    '`--write` excludes `--check` and `--diff`',
  ),
  run: format,
})

async function format(input: FmtInput, context: CommandContext): Promise<ExitCode> {
  let isDifferent = false
  for (const path of pathsOf(input, context)) {
    const before = await readSource(path, context)
    refuseBadSyntax(path, before)
    const after = formatConfig(before, { expand: input.expand })
    const changes = before !== after
    isDifferent ||= changes
    if (input.write) await rewrite(path, { before, after }, context)
    else if (input.diff) showDiff(path, { before, after }, context)
    else if (!input.check) context.terminal.outRaw(after)
    else if (changes) context.terminal.out(path)
  }
  return input.check && isDifferent ? exitCodes.difference : exitCodes.ok
}

/** `formatConfig` refuses it too, but only here the file has a name and an excerpt can be shown. */
function refuseBadSyntax(name: string, text: string): void {
  const file = { name, text }
  const { problems } = readYaml(file)
  if (problems.length === 0) return
  throw new HeadgateError('config.syntax', {
    message: `${name} cannot be formatted`,
    detail: { rendered: renderProblems(problems, [file]) },
  })
}

function pathsOf(input: FmtInput, { deps }: CommandContext): readonly string[] {
  if (input.write && input.paths.includes('-')) {
    throw usageError('`--write` needs a file, not standard input', 'headgate fmt -')
  }
  if (input.paths.length > 0) return input.paths
  const path = findDefaultConfig(deps.cwd)
  if (path !== undefined) return [path]
  throw usageError('there is no ./headgate.yaml', 'headgate fmt FILE')
}

async function readSource(path: string, { deps }: CommandContext): Promise<string> {
  if (path === '-') return await readAll(deps.stdin)
  try {
    return await readFile(resolve(deps.cwd, path), 'utf8')
  } catch (thrown) {
    throw new HeadgateError('config.unreadable', { message: `cannot read ${path}`, cause: thrown })
  }
}

type Texts = { readonly before: string; readonly after: string }

async function rewrite(path: string, texts: Texts, { deps, terminal }: CommandContext) {
  if (texts.before === texts.after) return
  try {
    await writeFile(resolve(deps.cwd, path), texts.after)
  } catch (thrown) {
    throw new HeadgateError('cli.write_failed', { message: `cannot write ${path}`, cause: thrown })
  }
  terminal.say(`formatted ${path}`)
}

function showDiff(path: string, texts: Texts, { terminal }: CommandContext): void {
  if (texts.before === texts.after) return
  const paint = terminal.paint.out
  terminal.out(paint.bold(`--- ${path}\n+++ ${path} (formatted)`))
  for (const { mark, text } of diffHunks(diffLines(texts.before, texts.after))) {
    const line = `${mark}${text}`
    terminal.out(mark === '+' ? paint.green(line) : mark === '-' ? paint.red(line) : line)
  }
}
