/** Brackets or dashes inside each other beyond this are no configuration. */
const depthMax = 500

/**
 * Looks for nesting that only an attack or an accident makes, before the parser does: it takes
 * seconds over a million brackets to say that there are too many. Counted are brackets that are
 * open within a line, and openings (`[`, `{`, `- `, `? `) right behind each other. Text in quotes
 * is counted too; no honest line has so many. Returns where the limit is passed, or undefined.
 */
export function findDeepNesting(text: string): number | undefined {
  let depthInLine = 0
  let openingsInRow = 0
  for (let offset = 0; offset < text.length; offset++) {
    const character = text.charAt(offset)
    if (character === '\n') {
      depthInLine = 0
    } else if (character === '[' || character === '{') {
      depthInLine++
      openingsInRow++
    } else if ((character === '-' || character === '?') && isBlank(text.charAt(offset + 1))) {
      openingsInRow++
    } else if (!isBlank(character)) {
      openingsInRow = 0
      if (character === ']' || character === '}') depthInLine = Math.max(0, depthInLine - 1)
    }
    if (depthInLine > depthMax || openingsInRow > depthMax) return offset
  }
  return undefined
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\t' || character === '\r'
}
