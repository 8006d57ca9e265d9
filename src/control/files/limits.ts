/** Limits on configuration files. Each is far beyond honest use and keeps parsing bounded. */

/** One file. 10,000 routes are about 2 MiB. */
export const fileBytesMax = 8 * 1_048_576
/** All files together. */
export const totalBytesMax = 32 * 1_048_576
export const fileCountMax = 1_000
/** Maps and lists inside each other. */
export const nestingMax = 64
/** Values of all files, each alias counted with everything it stands for. */
export const valueCountMax = 2_000_000
/** Values that aliases of one file add: the guard against "billion laughs". */
export const aliasedValuesMax = 100_000
/** Syntax errors reported per file: those after the first few are its echo. */
export const syntaxErrorsMax = 5
/** Problems reported at once. */
export const problemsMax = 1_000
