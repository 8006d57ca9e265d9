/**
 * Lets Node run Headgate's TypeScript where it lies below `node_modules`. Node refuses to strip types
 * there, so that packages are published as JavaScript; we ship the source that was tested instead, and
 * strip it with Node's own function. Only files of this package are touched.
 */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { fileURLToPath } from 'node:url'

const packageUrl = new URL('..', import.meta.url).href

registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith(packageUrl) || !url.endsWith('.ts')) return nextLoad(url, context)
    const source = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'))
    return { format: 'module', shortCircuit: true, source }
  },
})
