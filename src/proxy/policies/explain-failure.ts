/** Says in one line why a user's file could not be loaded, and where. */
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { messageOf } from '../../base/errors.ts'

/** What the author of the file at `path` should read about the error its import threw. */
export async function explainFailure(path: string, thrown: unknown): Promise<string> {
  const message = messageOf(thrown).split('?headgate-policies=')[0] ?? ''
  if (!(thrown instanceof SyntaxError)) {
    return isMissingModule(thrown)
      ? `${message}; the file imports something that is not there`
      : `threw while it was loaded${atLine(thrown)}: ${message}`
  }
  if (message.includes('outside a module')) {
    return `${message}; name the file .mjs or .mts, or write \`"type": "module"\` into the package.json above it`
  }
  if (codeOf(thrown) === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return `${message}${atLine(thrown)}; types are only removed, so write no enum, namespace or parameter property`
  }
  if (message.includes('does not provide an export')) return `${message}${atLine(thrown)}`
  return `syntax error${atLine(thrown) || (await lineFromParser(path))}: ${message}`
}

function isMissingModule(thrown: unknown): boolean {
  return codeOf(thrown) === 'ERR_MODULE_NOT_FOUND' || codeOf(thrown) === 'MODULE_NOT_FOUND'
}

function codeOf(thrown: unknown): unknown {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined
}

/** The first place outside of Node itself that the stack names. */
function atLine(thrown: unknown): string {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : ''
  const line = /\.[mc]?[jt]s(?:\?headgate-policies=[0-9a-f]+)?:(\d+)/.exec(stack)?.[1]
  return line === undefined ? '' : ` in line ${line}`
}

/** V8 does not tell the line of a syntax error in a module, the parser of type stripping does. */
async function lineFromParser(path: string): Promise<string> {
  try {
    stripTypeScriptTypes(await readFile(path, 'utf8'), { sourceUrl: 'policy.js' })
    return ''
  } catch (thrown) {
    return atLine(thrown)
  }
}
