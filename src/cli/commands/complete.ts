import { s } from '../../base/schema.ts'
import { listObjects } from '../admin-calls.ts'
import { completeWords } from '../complete.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { findKind } from '../kind-names.ts'
import { defaultServer } from '../server-options.ts'

/** Nobody waits longer than this for the Tab key. */
const lookUpMs = 500

export const completeCommand = defineCommand({
  path: '__complete',
  summary: 'Words that may come next; called by the completion scripts.',
  isHidden: true,
  examples: [],
  args: [{ name: 'words', summary: 'The command line so far.', isVariadic: true }],
  input: s.object({ words: s.array(s.string().max(4_096)).max(1_000).default([]) }),
  async run({ words }, context) {
    const { env } = context.deps
    const lookUpNames = async (kindWord: string) => {
      try {
        const server = env.HEADGATE_SERVER || defaultServer
        const admin = context.connect({
          server: server.replace(/\/+$/, ''),
          token: env.HEADGATE_TOKEN || undefined,
          timeout: lookUpMs,
        })
        return (await listObjects(admin, findKind(kindWord))).map((object) => object.name)
      } catch (thrown) {
        // No gateway, no token, no such kind: the Tab key stays silent, whatever the reason.
        context.terminal.detail(String(thrown))
        return []
      }
    }
    const found = await completeWords(words, context.commands, lookUpNames)
    if (found.length > 0) context.terminal.out(found.join('\n'))
    return exitCodes.ok
  },
})
