import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { formatConfig } from './format.ts'

const text = `# top
version: 1

upstreams:
  - name: a
    versions:
      v1:
        url: http://127.0.0.1:7001
        # account: mine
      # v2: { url: "http://127.0.0.1:7002" }
    live: v1

# Which requests go where.
routes:
  - name: r
    match: { path: /a/**, methods: [GET, POST] }
    to: a
    # policies:
    #   - cors: {}

# Nothing more.
# gateway:
#   trustedProxies: [10.0.0.0/8]
`

test('comments stay in their column, also those that outline what could stand there', () => {
  equal(formatConfig(text), text)
})

test('a block of text that looks like comments is not touched', () => {
  const block = `version: 1
routes:
  - name: robots
    match: { path: /robots.txt }
    respond:
      status: 200
      body: |
        # everybody
          # but not there
        User-agent: *
`
  equal(formatConfig(block), block)
})

test('a comment of a file with wider indentation moves with its section', () => {
  const wide = 'version: 1\nroutes:\n    -   name: r\n        # the target\n        to: a\n'
  equal(formatConfig(wide), 'version: 1\nroutes:\n  - name: r\n    # the target\n    to: a\n')
})
