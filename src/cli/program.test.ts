import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { Writable } from 'node:stream'
import { commands } from './commands/index.ts'
import { splitShellWords } from './curl.ts'
import { buildProgram, runCli } from './program.ts'
import { runCaptured, testTerminal } from './testing/run-captured.ts'

test('every command shows examples before flags, on stdout', async () => {
  for (const command of commands.filter(({ isHidden }) => isHidden !== true)) {
    const { exitCode, stdout, stderr } = await runCaptured([...command.path.split(' '), '--help'])
    equal(exitCode, 0, command.path)
    equal(stderr, '')
    ok(command.examples.length >= 3, `${command.path} has three examples`)
    ok(stdout.indexOf('Examples:') < stdout.indexOf('Flags:'), command.path)
    for (const example of command.examples) ok(stdout.includes(example.command), example.command)
  }
})

test('every example names a command and only flags that it has', () => {
  const globalFlags = ['--quiet', '--no-color', '--verbose', '--version']
  for (const example of commands.flatMap((command) => command.examples)) {
    for (const [, line = ''] of example.command.matchAll(/headgate ((?:'[^']*'|[^&|;)>'])*)/g)) {
      const words = splitShellWords(line)
      const [first = '', second = ''] = words
      const named = commands.find(({ path }) => path === `${first} ${second}` || path === first)
      if (named === undefined) deepEqual(words, ['--version'], example.command)
      const known = (named?.options ?? []).flatMap(({ flags }) => flags.match(/(?<!\S)--?[\w-]+/g))
      for (const flag of words.filter((word) => /^--?[a-z]/.test(word))) {
        const name = flag.split('=')[0] ?? ''
        ok(known.includes(name) || globalFlags.includes(name), `${example.command}: ${name}`)
      }
    }
  }
})

test('a misspelt command, flag or kind is met with the nearest one and exit code 1', async () => {
  for (const [argv, hint] of [
    [['rnu'], 'try: headgate run (did you mean `run`?)'],
    [['run', '--wrkers', '2'], 'try: headgate run --workers (did you mean `--workers`?)'],
    [['key', 'nwe'], 'try: headgate key new (did you mean `new`?)'],
    [['get', 'rotues'], 'try: `routes` (did you mean that?)'],
  ] as const) {
    const { exitCode, stdout, stderr } = await runCaptured(argv)
    equal(exitCode, 1)
    equal(stdout, '')
    match(stderr, /^error: /)
    ok(stderr.trimEnd().endsWith(hint), stderr)
  }
})

test('every error ends with what to try', async () => {
  for (const argv of [
    ['get'],
    ['run', '--workers', '0'],
    ['run', '--listen', 'nowhere'],
    ['run', '--drain', 'soon'],
    ['get', 'routes'],
    ['get', 'routes', '-o', 'xml'],
    ['get', 'routes', '--server', 'ftp://x'],
    ['describe', 'route'],
    ['delete', 'route'],
    ['upstream', 'split', 'books', 'v1=50%'],
    ['completion', 'tcsh'],
    ['version', 'extra'],
  ]) {
    const { exitCode, stderr } = await runCaptured(argv)
    equal(exitCode, 1, argv.join(' '))
    match(stderr.trimEnd().split('\n').at(-1) ?? '', /^try: \S/, argv.join(' '))
  }
})

test('without a command it shows help on stderr and fails', async () => {
  const { exitCode, stdout, stderr } = await runCaptured([])
  equal(exitCode, 1)
  equal(stdout, '')
  match(stderr, /headgate demo/)
})

test('the version stands alone on stdout', async () => {
  deepEqual(await runCaptured(['--version']), { exitCode: 0, stdout: '9.9.9-test\n', stderr: '' })
  const { stdout } = await runCaptured(['version', '-o', 'json'])
  equal(JSON.parse(stdout).version, '9.9.9-test')
})

test('colour is for terminals only, and off with NO_COLOR or --no-color', async () => {
  const coloured = async (argv: string[], options: Parameters<typeof runCaptured>[1]) =>
    (await runCaptured(argv, options)).stderr.includes('\u001b[')
  equal(await coloured(['rnu'], { isTTY: true }), true)
  equal(await coloured(['rnu'], { isTTY: false }), false)
  equal(await coloured(['rnu'], { isTTY: true, env: { NO_COLOR: '1' } }), false)
  equal(await coloured(['rnu'], { isTTY: true, env: { TERM: 'dumb' } }), false)
  equal(await coloured(['--no-color', 'rnu'], { isTTY: true }), false)
})

test('a reader that goes away ends the output without an error', async () => {
  const terminal = testTerminal()
  const broken = new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    },
  })
  const exitCode = await runCli(['--help'], { ...terminal, stdout: broken })
  equal(exitCode, 0)
  equal(terminal.stderrText(), '')
})

test('the tree can be looked at without running anything', () => {
  const program = buildProgram(testTerminal())
  const names = program.commands.map((command) => command.name())
  for (const name of ['run', 'demo', 'get', 'upstream', 'key']) ok(names.includes(name), name)
  const run = program.commands.find((command) => command.name() === 'run')
  ok(run?.options.some((option) => option.long === '--listen'))
})
