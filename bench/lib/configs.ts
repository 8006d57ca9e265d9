/** The same work, said to headgate and to nginx. */
import { createHash } from 'node:crypto'

export const ports = {
  backendA: 17_101,
  backendB: 17_102,
  headgate: 17_110,
  headgateAdmin: 17_111,
  nginx: 17_120,
} as const

export const routeCount = 1_000
export const keyCount = 1_000

/** About 700 bytes of JSON, the answer of the backend. */
const answer = JSON.stringify({ id: 1, title: 'The pragmatic gateway', pad: 'x'.repeat(640) })

export function keyOf(index: number): string {
  return `bench-key-${String(index).padStart(6, '0')}-0123456789abcdef0123456789abcdef`
}

const nginxHead = (folder: string) => `worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 8192; }
`

/** Two listeners of one nginx that answer at once. */
export function backendNginx(folder: string): string {
  const server = (port: number) => `  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { default_type application/json; return 200 '${answer}'; }
  }
`
  return `${nginxHead(folder)}http {
  access_log off;
  keepalive_requests 100000000;
${server(ports.backendA)}${server(ports.backendB)}}
`
}

const nginxUpstream = (servers: readonly number[], balance: string) => `  upstream backend {
${balance}${servers.map((port) => `    server 127.0.0.1:${port};\n`).join('')}    keepalive 256;
    keepalive_requests 100000000;
  }
`

const nginxProxy = `proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;`

/** A reverse proxy and nothing else. */
export function plainNginx(folder: string): string {
  return `${nginxHead(folder)}http {
  access_log off;
  keepalive_requests 100000000;
${nginxUpstream([ports.backendA], '')}  server {
    listen 127.0.0.1:${ports.nginx} backlog=4096;
    location / {
      ${nginxProxy}
    }
  }
}
`
}

/** Keys, a limit per key, 1,000 locations, two servers, request ids, a JSON access log. */
export function equalWorkNginx(folder: string): string {
  const keys = Array.from(
    { length: keyCount },
    (_, index) => `    "${keyOf(index)}" app-${index};\n`,
  ).join('')
  const locations = Array.from(
    { length: routeCount },
    (_, index) => `    location /api-${index}/ {
      if ($app = "") { return 401; }
      limit_req zone=limit burst=1000000 nodelay;
      ${nginxProxy}
      proxy_set_header X-Api-Key "";
      proxy_set_header X-Request-Id $request_id;
      add_header X-Request-Id $request_id;
    }
`,
  ).join('')
  return `${nginxHead(folder)}http {
  map_hash_max_size 8192;
  map_hash_bucket_size 256;
  map $http_x_api_key $app {
    default "";
${keys}  }
  limit_req_zone $app zone=limit:16m rate=1000000r/s;
  log_format json escape=json '{"time":"$time_iso8601","id":"$request_id","client":"$remote_addr","method":"$request_method","host":"$host","path":"$uri","status":$status,"app":"$app","upstream":"$upstream_addr","duration":$request_time,"upstreamDuration":"$upstream_response_time","in":$request_length,"out":$bytes_sent}';
  access_log ${folder}/access.log json buffer=64k flush=1s;
  keepalive_requests 100000000;
${nginxUpstream([ports.backendA, ports.backendB], '    least_conn;\n')}  server {
    listen 127.0.0.1:${ports.nginx} backlog=4096;
${locations}  }
}
`
}

export function plainHeadgate(): string {
  return `version: 1
upstreams:
  - { name: backend, url: "http://127.0.0.1:${ports.backendA}" }
routes:
  - { name: all, match: { path: "/**" }, to: backend }
`
}

export function typicalHeadgate(folder: string): string {
  const hash = (key: string) => createHash('sha256').update(key).digest('hex')
  const routes = Array.from(
    { length: routeCount },
    (_, index) =>
      `  - { name: api-${index}, match: { path: "/api-${index}/**" }, to: backend, policies: [{ set: standard }] }\n`,
  ).join('')
  const apps = Array.from(
    { length: keyCount },
    (_, index) =>
      `  - { name: app-${index}, keys: [{ name: first, hash: "sha256:${hash(keyOf(index))}" }] }\n`,
  ).join('')
  return `version: 1
gateway:
  accessLog: { output: File, path: ${folder}/access.log }
upstreams:
  - name: backend
    versions:
      v1:
        endpoints: [{ url: "http://127.0.0.1:${ports.backendA}" }, { url: "http://127.0.0.1:${ports.backendB}" }]
policySets:
  - name: standard
    policies:
      - api-key: {}
      - rate-limit: { limit: 1000000/s, burst: 1000000, by: App }
routes:
${routes}apps:
${apps}`
}
