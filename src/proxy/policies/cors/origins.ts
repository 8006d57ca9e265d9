/** Which origins a `cors` policy trusts. An origin is scheme, host and port (RFC 6454 §6.1). */

/** Longer origins are refused unseen; a host name has at most 253 characters. */
export const originCharsMax = 300

export type OriginTest = (origin: string) => boolean

type Pattern = { readonly start: string; readonly end: string }

const wildcardPattern = /^(https?:\/\/)\*(\.[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,5})?)$/
const subdomainPattern = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/

/** `*`, an origin such as `https://app.example.com`, or `https://*.example.com`. */
export function isOriginPattern(text: string): boolean {
  return text === '*' || wildcardPattern.test(text) || isSerializedOrigin(text)
}

/** Origins of packaged apps: `capacitor://localhost`, `chrome-extension://…`. */
const appOriginPattern = /^[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._-]+$/

/** Browsers send origins in exactly this form, so anything else could never match. */
function isSerializedOrigin(text: string): boolean {
  if (text.includes('*') || !URL.canParse(text)) return false
  const url = new URL(text)
  if (url.protocol === 'http:' || url.protocol === 'https:') return url.origin === text
  return appOriginPattern.test(text)
}

/** Compares without regular expressions over the whole origin; `*.example.com` has no `example.com`. */
export function compileOrigins(patterns: readonly string[]): OriginTest {
  if (patterns.includes('*')) return () => true
  const exact = new Set(patterns)
  const wildcards = patterns.flatMap((pattern): Pattern[] => {
    const [, start, end] = wildcardPattern.exec(pattern) ?? []
    return start === undefined || end === undefined ? [] : [{ start, end }]
  })
  return (origin) =>
    exact.has(origin) || wildcards.some((pattern) => matchesSubdomain(origin, pattern))
}

function matchesSubdomain(origin: string, { start, end }: Pattern): boolean {
  if (origin.length > originCharsMax) return false
  if (!origin.startsWith(start) || !origin.endsWith(end)) return false
  // Without this test `https://evil.test/.example.com` and `https://a:b@x.example.com` would pass.
  return subdomainPattern.test(origin.slice(start.length, origin.length - end.length))
}
