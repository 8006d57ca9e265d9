import { HeadgateError } from '../../base/errors.ts'
import { parseHostPort } from '../../base/host-port.ts'
import { type CertificateSpec, certificate } from '../../kinds/certificate.ts'
import type { Resource } from '../../kinds/define-kind.ts'
import type { GatewaySpec } from '../../kinds/gateway.ts'
import type { CertificateEntry, TlsEntry } from '../../proxy/snapshot.ts'
import { durationOr } from './gateway.ts'
import { resourcesOf } from './of-kind.ts'

export type CertificateTexts = ReadonlyMap<
  string,
  { readonly pem: string; readonly names: readonly string[] }
>

export type TlsContext = {
  /** What is public of the certificates that could be read, by name. */
  readonly certificates: CertificateTexts
  /** PEM text by `caFile`. */
  readonly caPems: ReadonlyMap<string, string>
}

/** As documented in `kinds/gateway-tls.ts`. */
const listenDefault = '0.0.0.0:8443'

/** TLS towards clients; undefined as long as there is no certificate to show. */
export function compileTls(
  spec: GatewaySpec,
  resources: readonly Resource[],
  { certificates, caPems }: TlsContext,
): TlsEntry | undefined {
  const { tls, clientTimeouts, limits } = spec
  const served = resourcesOf(resources, certificate)
    .filter((each) => each.spec.usage !== 'Client')
    .flatMap((each) => compileCertificate(each, certificates))
  if (served.length === 0) return undefined
  const { mode = 'Off', caFile, forward = 'Off' } = tls?.clientCertificates ?? {}
  return {
    listen: compileListen(tls?.listen),
    minVersion: tls?.minVersion ?? 'Tls12',
    clientCertificates: {
      mode,
      caPem: mode === 'Off' ? undefined : caPemOf(caFile, caPems),
      forward,
    },
    handshakeMs: durationOr(clientTimeouts?.handshake, 10_000),
    handshakesMax: limits?.handshakes ?? 1_000,
    certificates: [
      ...served.filter(({ name }) => name === tls?.defaultCertificateRef),
      ...served.filter(({ name }) => name !== tls?.defaultCertificateRef),
    ],
  }
}

function compileListen(listen: string | number = listenDefault): TlsEntry['listen'] {
  return parseHostPort(typeof listen === 'number' ? `:${listen}` : listen)
}

/** Nothing for one whose files were lost: the others are served on. */
function compileCertificate(
  { name, spec }: Resource<CertificateSpec>,
  certificates: CertificateTexts,
): CertificateEntry[] {
  const loaded = certificates.get(name)
  if (loaded === undefined) return []
  return [{ name, hosts: [...(spec.hosts ?? loaded.names)], pem: loaded.pem }]
}

/** PEM text of authorities. Without it others would be trusted than those named: refused rather than weakened. */
export function caPemOf(
  caFile: string | undefined,
  caPems: ReadonlyMap<string, string>,
): string | undefined {
  const caPem = caFile === undefined ? undefined : caPems.get(caFile)
  if (caFile !== undefined && caPem === undefined)
    throw new HeadgateError('config.unreadable', {
      message: `the certificate authorities in \`${caFile}\` were not read; check the path and its permissions`,
      detail: { path: caFile },
    })
  return caPem
}
