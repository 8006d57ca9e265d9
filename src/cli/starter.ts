/** What `headgate init` writes: a configuration that runs as it is and shows the next steps. */
import { stringify } from 'yaml'

export function starterDocument(options: { schemaFileName: string; upstream: string }): string {
  return `# yaml-language-server: $schema=./${options.schemaFileName}
#
# Headgate serves this file:       headgate run -c headgate.yaml
# It is watched: save a change and it is live, or refused whole with the reason.
# Check it without serving:        headgate validate headgate.yaml
# Ask where a request would go:    headgate route test 'curl http://localhost:8080/' -c headgate.yaml
version: 1

# What stands behind the gateway. An upstream has versions; traffic moves between them.
upstreams:
  - name: my-api
    versions:
      v1:
        url: ${stringify(options.upstream).trim()}
        # account: my-api-key      # what the gateway is towards this version, see below
      # v2: { url: "http://127.0.0.1:7002" }
    live: v1
    # Deal traffic instead of sending all of it to \`live\`; the shares add up to 100 %:
    # split: { weights: { v1: 95%, v2: 5% }, sticky: { by: ClientAddress } }

# Which requests go where. The most specific match wins.
routes:
  # Answered by the gateway itself:  curl http://localhost:8080/hello
  - name: hello
    match: { path: /hello, methods: [GET] }
    respond: { status: 200, json: { message: "Headgate is running" } }

  # Everything else goes to the upstream.
  - name: everything
    match: { path: "/**" }
    to: my-api
    timeouts: { firstByte: 30s }
    policies:
      - rate-limit: { limit: 100/s, by: ClientAddress }
      # - api-key: {}               # only for apps with a key, see below

# Credentials towards upstreams: references to secrets, never the secrets.
# accounts:
#   - name: my-api-key
#     header: { name: authorization, prefix: "Bearer ", secret: "env:MY_API_TOKEN" }

# Clients and their keys: \`headgate key new\` prints a key and the line for it.
# apps:
#   - name: my-app
#     keys:
#       - { name: default, hash: "sha256:…" }

# Settings of the gateway as a whole; every one has a default.
# gateway:
#   trustedProxies: [10.0.0.0/8]
#   accessLog: { output: Stdout }
`
}
