/**
 * Documents as programs: the blocks of a guide are what a reader types, and here they are typed. A
 * comment before a block says what it is:
 *
 *   `file: NAME`    written into the folder (the language does not matter)
 *   `terminal`      a command that goes on running, in a terminal of its own
 *   `gateway`       the gateway runs from here on
 *   `exits: N`      a command that ends with this code
 *   `not run`       for the reader's machine only
 *
 * A block of `sh` without a comment is run to its end, one of `text` is what was printed; `…` stands for
 * anything.
 */
export type Step =
  | { readonly type: 'file'; readonly name: string; readonly text: string }
  | { readonly type: 'terminal' | 'run'; readonly command: string; readonly exitCode: number }
  | { readonly type: 'gateway' }
  | { readonly type: 'prints'; readonly text: string }
  | { readonly type: 'yaml'; readonly text: string }

const block = /(?:<!-- ([^>]*) -->\n)?```(\w+)\n([\s\S]*?)```/g

export function stepsOf(markdown: string): Step[] {
  return [...markdown.matchAll(block)].flatMap(([, comment = '', language = '', text = '']) =>
    stepsOfBlock(comment.trim(), language, text),
  )
}

function stepsOfBlock(comment: string, language: string, text: string): Step[] {
  const [word = '', value = ''] = comment.split(/: ?/)
  if (word === 'not run') return []
  if (word === 'file') return [{ type: 'file', name: value, text }]
  if (language === 'text') return [{ type: 'prints', text }]
  if (language === 'yaml') return [{ type: 'yaml', text }]
  if (language !== 'sh') return []
  const exitCode = word === 'exits' ? Number(value) : 0
  const step: Step = { type: word === 'terminal' ? 'terminal' : 'run', command: text, exitCode }
  return word === 'gateway' ? [{ type: 'gateway' }, step] : [step]
}

/** What `text` blocks promise: each line somewhere in the output, in this order. */
export function patternOfPrinted(text: string): RegExp {
  const lines = text
    .trim()
    .split('\n')
    .map((line) =>
      line
        .trim()
        .split('…')
        .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(/ {2,}/g, ' +'))
        .join('[^\\n]*'),
    )
  return new RegExp(lines.join('[^\\n]*\\n[^\\n]*'))
}
