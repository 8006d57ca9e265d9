/** The messages of the YAML parser, rewritten to say what to do. */

const messages: Readonly<Record<string, string>> = {
  ALIAS_PROPS: 'an alias (`*name`) cannot have an anchor or tag of its own',
  BAD_ALIAS: 'an alias is `*` and a name without spaces; put text that begins with `*` in quotes',
  BAD_DQ_ESCAPE: 'the escape is not known in double quotes; write `\\\\` for a backslash',
  BAD_INDENT: 'the indentation does not fit what is above, or a `]` or `}` is missing',
  BAD_PROP_ORDER: 'anchor and tag must stand right before their value',
  BLOCK_AS_IMPLICIT_KEY:
    'two keys stand on one line; start a new line, or put text that holds `: ` in quotes',
  BLOCK_IN_FLOW: 'inside `[ ]` and `{ }` everything must be written in that form too',
  COMMENT_SPACE: 'a comment needs a space before `#`',
  KEY_OVER_1024_CHARS: 'the key is longer than 1024 characters',
  MISSING_CHAR: 'the value is not finished: a `:`, quote or bracket is missing',
  MULTILINE_IMPLICIT_KEY: 'a key must be on one line and end in `:`',
  MULTIPLE_ANCHORS: 'a value can have one anchor only',
  MULTIPLE_TAGS: 'a value can have one tag only',
  RESOURCE_EXHAUSTION: 'maps and lists are nested too deeply',
  TAB_AS_INDENT: 'the line is indented with a tab; YAML wants spaces',
  TAG_RESOLVE_FAILED: 'the tag is not supported; remove it',
}

const patterns: readonly (readonly [RegExp, string])[] = [
  [/^Missing closing ["']/, 'the quote that opens here is not closed'],
  [/^Plain value cannot start with/, 'text cannot begin with this character; put it in quotes'],
  [/block-seq-ind on same line with key/, 'a list starts on the line below its key'],
  [
    /^Unexpected flow-map-(?:start|end) /,
    'a brace stands where it does not belong; put `${NAME}` in quotes inside `[ ]` and `{ }`',
  ],
  [/^Unexpected scalar at node end/, 'something follows the value that does not belong here'],
  [
    /map-value-ind token|Implicit map keys need to be followed by map values/,
    'a key must be followed by `:` and a space',
  ],
  [
    /must be sufficiently indented and end with a \]/,
    'the list that opens here is not closed with `]`',
  ],
  [
    /must be sufficiently indented and end with a \}/,
    'the map that opens here is not closed with `}`',
  ],
  [
    /All (?:mapping|sequence|collection) items must start/,
    'the line does not start where its neighbours do',
  ],
]

/** A sentence for people about a syntax error. */
export function syntaxMessage(code: string, original: string): string {
  const specific = patterns.find(([pattern]) => pattern.test(original))?.[1]
  return specific ?? messages[code] ?? lowerFirst(original)
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
