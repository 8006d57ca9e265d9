/**
 * From a reference to a secret that is safe to use. A secret with a line break or another control
 * character is refused here, whatever scheme will use it: in a header field it would let whoever can
 * write the secret write header lines, or a whole request, of their own.
 */
import { Buffer } from 'node:buffer'
import type { VaultAnswer, VaultIo } from './define-vault.ts'
import { vaults } from './index.ts'

/** Larger than any token in use, smaller than the heads upstreams accept. */
export const secretBytesMax = 16_384

const controlCharacter = /[\u0000-\u001f\u007f]/

/** Reads `reference`; the message of a refusal names the reference and never shows the value. */
export async function readSecret(reference: string, io: VaultIo): Promise<VaultAnswer> {
  const colon = reference.indexOf(':')
  const vault = vaults.find(({ scheme }) => scheme === reference.slice(0, Math.max(0, colon)))
  if (vault === undefined) {
    const known = vaults.map(({ scheme }) => `\`${scheme}:\``).join(' or ')
    return { ok: false, message: `is \`${reference}\` and must begin with ${known}` }
  }
  const answer = await vault.read(reference.slice(colon + 1), io)
  if (!answer.ok) return refused(reference, answer.message)
  const fault = faultOf(answer.secret)
  return fault === undefined ? answer : refused(reference, fault)
}

/** A clause that follows the place of the reference: "refers to `env:KEY`, which is empty; …". */
function refused(reference: string, fault: string): VaultAnswer {
  return { ok: false, message: `refers to \`${reference}\`, which ${fault}` }
}

function faultOf(secret: string): string | undefined {
  if (secret === '') return 'is empty; put the secret there'
  if (Buffer.byteLength(secret) > secretBytesMax) {
    return `is longer than ${secretBytesMax} bytes; check that it names the right place`
  }
  if (controlCharacter.test(secret)) {
    return 'holds a line break or another control character; store the secret as one line of text'
  }
  if (secret.includes('\ufffd')) return 'is not valid UTF-8; store the secret as text'
  return undefined
}
