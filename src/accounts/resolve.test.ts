import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { isErrorCode } from '../base/errors.ts'
import { type AccountSpec, account } from '../kinds/account.ts'
import { type AppSpec, app } from '../kinds/app.ts'
import type { Resource } from '../kinds/define-kind.ts'
import { LeaseTable } from './lease-table.ts'
import { resolveAccounts, resolveAppKeys } from './resolve.ts'
import { readSecretFile } from './vaults/read-secret-file.ts'
import { secretBytesMax } from './vaults/read-secret.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-accounts-'))
})
after(() => rm(folder, { recursive: true }))

function resource<Spec>(kind: string, name: string, spec: Spec): Resource<Spec> {
  return { kind, name, workspace: 'default', labels: {}, spec }
}

const secret = 's3cr3t-value'

async function resolveOne(spec: AccountSpec, env: Record<string, string> = {}) {
  const checked = account.spec.parse(spec)
  const { leases, problems } = await resolveAccounts([resource('Account', 'books-a', checked)], {
    env: { KEY: secret, ...env },
    readFile: readSecretFile,
  })
  return { lease: leases.get('books-a'), leases, problems, problem: problems[0] }
}

async function secretFile(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return `file:${path}`
}

test('each scheme makes the field line its specification asks for', async () => {
  const cases: [AccountSpec, readonly [string, string]][] = [
    [{ header: { name: 'x-api-key', secret: 'env:KEY' } }, ['x-api-key', secret]],
    [
      { header: { name: 'X-Key', secret: 'env:KEY', prefix: 'Token ' } },
      ['x-key', `Token ${secret}`],
    ],
    // RFC 7617 §2 gives this pair and its encoding.
    [
      { basic: { username: 'Aladdin', password: 'env:PASSWORD' } },
      ['authorization', 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='],
    ],
    [{ bearer: { token: 'env:KEY' } }, ['authorization', `Bearer ${secret}`]],
  ]
  for (const [spec, field] of cases) {
    const { lease, problems } = await resolveOne(spec, { PASSWORD: 'open sesame' })
    deepEqual(problems, [])
    equal(lease?.account, 'books-a')
    deepEqual(lease?.fields, [field])
  }
})

test('a password may hold any text that is not a control character', async () => {
  const { lease } = await resolveOne(
    { basic: { username: 'user', password: 'env:PASSWORD' } },
    { PASSWORD: ' pass:wörd ' },
  )
  const [, value] = lease?.fields[0] ?? ['', '']
  equal(Buffer.from(value.slice('Basic '.length), 'base64').toString(), 'user: pass:wörd ')
})

test('a file gives its text without the line break at its end, and without more than one', async () => {
  for (const [name, content] of [
    ['plain', secret],
    ['newline', `${secret}\n`],
    ['crlf', `${secret}\r\n`],
  ] as const) {
    const { lease } = await resolveOne({ bearer: { token: await secretFile(name, content) } })
    deepEqual(lease?.fields, [['authorization', `Bearer ${secret}`]])
  }
  const { problem } = await resolveOne({ bearer: { token: await secretFile('two', 'a\n\n') } })
  match(problem?.message ?? '', /control character/)
})

test('what is missing becomes a problem that says where and what to do', async () => {
  const cases: [string, RegExp][] = [
    ['env:MISSING', /`env:MISSING`.*is not set; set the environment variable MISSING/],
    ['env:EMPTY', /`env:EMPTY`.*is empty/],
    ['env:constructor', /is not set/],
    [`file:${folder}/missing`, /ENOENT.*create the file/],
    [`file:${folder}`, /not a regular file/],
    ['file:/dev/zero', /not a regular file/],
  ]
  for (const [reference, message] of cases) {
    const { problem, lease, problems } = await resolveOne(
      { header: { name: 'x-api-key', secret: reference } },
      { EMPTY: '' },
    )
    equal(lease, undefined)
    equal(problems.length, 1)
    match(problem?.message ?? '', message)
    deepEqual(
      { ...problem, message: '' },
      {
        kind: 'Account',
        name: 'books-a',
        path: ['header', 'secret'],
        reference,
        code: 'config.secret_unresolved',
        message: '',
      },
    )
  }
})

test('a secret that could write header lines of its own is refused, and never shown', async () => {
  const attacks = ['a\r\nx-admin: 1', 'a\nb', 'a\rb', 'a\0b', 'a\tb', 'a\x7fb', '\x1b[31m']
  const specs: AccountSpec[] = [
    { header: { name: 'x-api-key', secret: 'env:EVIL' } },
    { basic: { username: 'user', password: 'env:EVIL' } },
    { bearer: { token: 'env:EVIL' } },
  ]
  for (const EVIL of attacks) {
    for (const spec of specs) {
      const { lease, problem } = await resolveOne(spec, { EVIL: `${secret}${EVIL}` })
      equal(lease, undefined)
      ok(isErrorCode(problem?.code ?? ''))
      match(problem?.message ?? '', /env:EVIL/)
      ok(!inspect(problem).includes(secret))
    }
  }
})

test('a value that a field line cannot carry unchanged is refused', async () => {
  for (const BAD of [' leading', 'trailing ', 'wörd']) {
    const header = await resolveOne({ header: { name: 'x-api-key', secret: 'env:BAD' } }, { BAD })
    equal(header.problem?.code, 'config.bad_value')
    equal(header.lease, undefined)
  }
  const bearer = await resolveOne({ bearer: { token: 'env:BAD' } }, { BAD: 'Bearer abc' })
  match(bearer.problem?.message ?? '', /without `Bearer`/)
  const prefix = await resolveOne({ header: { name: 'a', secret: 'env:KEY', prefix: ' x' } })
  equal(prefix.problem?.code, 'config.bad_value')
  const reserved = await resolveOne({ header: { name: 'Content-Length', secret: 'env:KEY' } })
  deepEqual(reserved.problem?.path, ['header', 'name'])
})

test('the size limit holds on both sides, for files and variables', async () => {
  const most = 'x'.repeat(secretBytesMax)
  for (const [text, isAllowed] of [
    [most, true],
    [`${most}x`, false],
  ] as const) {
    const fromFile = await secretFile('sized', `${text}\r\n`)
    equal((await resolveOne({ bearer: { token: fromFile } })).lease !== undefined, isAllowed)
    const fromEnv = await resolveOne({ bearer: { token: 'env:LONG' } }, { LONG: text })
    equal(fromEnv.lease !== undefined, isAllowed)
  }
  const huge = await secretFile('huge', 'x'.repeat(secretBytesMax * 10))
  match((await resolveOne({ bearer: { token: huge } })).problem?.message ?? '', /longer than/)
  const binary = await secretFile('binary', Uint8Array.of(0xff, 0xfe, 0x41))
  match((await resolveOne({ bearer: { token: binary } })).problem?.message ?? '', /UTF-8/)
})

test('one bad account takes no other down, and each reference is read once', async () => {
  let reads = 0
  const account = (name: string, reference: string) =>
    resource<AccountSpec>('Account', name, { bearer: { token: reference } })
  const { leases, problems } = await resolveAccounts(
    [account('a', 'file:/x'), account('b', 'env:MISSING'), account('c', 'file:/x')],
    {
      env: {},
      readFile: async () => {
        reads += 1
        return secret
      },
    },
  )
  deepEqual([...leases.keys()], ['a', 'c'])
  deepEqual(
    problems.map(({ name }) => name),
    ['b'],
  )
  equal(reads, 1)
})

test('no way of printing a lease shows its secret', async () => {
  const { lease, leases } = await resolveOne({ header: { name: 'x-api-key', secret: 'env:KEY' } })
  const table = new LeaseTable(leases)
  const holders = [lease, leases, table, { nested: [lease, table] }, table.linesOf('books-a')]
  for (const holder of holders) {
    for (const text of [
      inspect(holder, { depth: 9, showHidden: true }),
      JSON.stringify(holder),
      String(holder),
    ]) {
      ok(!text.includes(secret), text)
    }
  }
  match(inspect(lease), /books-a.*\[redacted\]/)
  match(JSON.stringify(table), /\[redacted\]/)
})

test('leases travel to another thread and come out as bytes to splice', async () => {
  const { leases } = await resolveOne({ header: { name: 'x-api-key', secret: 'env:KEY' } })
  const { port1, port2 } = new MessageChannel()
  port1.postMessage(leases)
  const table = new LeaseTable(receiveMessageOnPort(port2)?.message)
  port1.close()
  equal(table.linesOf('books-a')?.text, `x-api-key: ${secret}\r\n`)
  deepEqual(table.linesOf('books-a')?.fields, [['x-api-key', secret]])
  equal(table.linesOf('unknown'), undefined)
})

test('app keys are known by hash, whether written as hash or behind a reference', async () => {
  // From FIPS 180-2, appendix B.1.
  const hashOfAbc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  const spec: AppSpec = {
    keys: [
      { name: 'first', secret: 'env:ABC' },
      { name: 'second', hash: `sha256:${'0'.repeat(64)}` },
      { name: 'third', secret: 'env:MISSING' },
    ],
  }
  const { hashes, problems } = await resolveAppKeys(
    [resource('App', 'mobile', app.spec.parse(spec))],
    { env: { ABC: 'abc' }, readFile: readSecretFile },
  )
  deepEqual(
    [...hashes],
    [
      ['mobile/first', hashOfAbc],
      ['mobile/second', '0'.repeat(64)],
    ],
  )
  deepEqual(
    problems.map(({ kind, name, path, code }) => ({ kind, name, path, code })),
    [
      {
        kind: 'App',
        name: 'mobile',
        path: ['keys', 2, 'secret'],
        code: 'config.secret_unresolved',
      },
    ],
  )
})
