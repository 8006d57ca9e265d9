/**
 * What is, beside what is wanted: the status of every resource, computed from what is served. Only
 * the time since when a condition has been as it is must be remembered.
 */
import type { Clock } from '../base/clock.ts'
import { formatShare } from '../base/units.ts'
import { account } from '../kinds/account.ts'
import { app } from '../kinds/app.ts'
import { certificate } from '../kinds/certificate.ts'
import { defaultWorkspace, type Resource } from '../kinds/define-kind.ts'
import { gateway } from '../kinds/gateway.ts'
import { upstream } from '../kinds/upstream.ts'
import type { StoredResource } from '../store/store.ts'
import { validityFlaw } from './certificates.ts'
import type { Condition, ResourceStatus } from './control-api.ts'
import { lineOf } from './controller-problems.ts'
import type { Session } from './controller-session.ts'
import { sentenceFor } from './problem.ts'
import { objectOf, readableSpecOf } from './references.ts'
import type { UpstreamState } from './runtime-state.ts'

type Finding = Omit<Condition, 'since'>
type Findings = {
  readonly conditions: readonly Finding[]
  readonly more?: Readonly<Record<string, unknown>>
}

export type StatusContext = {
  readonly session: Session
  readonly states: ReadonlyMap<string, UpstreamState>
}

export type StatusBook = {
  statusOf(resource: StoredResource, context: StatusContext): ResourceStatus
  /** Notes the time of every condition that changed, and forgets those of objects that are gone. */
  refresh(resources: readonly StoredResource[], context: StatusContext): void
}

type Seen = { readonly finding: string; readonly since: string }

export function createStatusBook(clock: Clock): StatusBook {
  let seen = new Map<string, Seen>()
  const conditionOf = (object: string, finding: Finding): [string, Seen] => {
    const id = `${object} ${finding.type}`
    const text = `${finding.status} ${finding.reason}`
    const known = seen.get(id)
    const since = new Date(clock.wallMs()).toISOString()
    return [id, known?.finding === text ? known : { finding: text, since }]
  }
  return {
    statusOf(resource, context) {
      const object = objectOf(resource)
      const { conditions, more } = findingsOf(resource, context)
      return {
        ...more,
        observedRevision: isServed(resource, context) ? resource.revision : 0,
        conditions: conditions.map((finding) => {
          const [id, entry] = conditionOf(object, finding)
          seen.set(id, entry)
          return { ...finding, since: entry.since }
        }),
      }
    },
    refresh(resources, context) {
      const next = resources.flatMap((resource) =>
        findingsOf(resource, context).conditions.map((finding) =>
          conditionOf(objectOf(resource), finding),
        ),
      )
      seen = new Map(next)
    },
  }
}

const findingsByKind: Readonly<
  Record<string, (resource: StoredResource, context: StatusContext) => Findings>
> = {
  [upstream.kind]: upstreamFindings,
  [account.kind]: secretFindings,
  [app.kind]: appFindings,
  [certificate.kind]: certificateFindings,
  [gateway.kind]: gatewayFindings,
}

function findingsOf(resource: StoredResource, context: StatusContext): Findings {
  const { conditions, more } = findingsByKind[resource.kind]?.(resource, context) ?? {
    conditions: [],
  }
  return { conditions: [programmed(resource, context), ...conditions], ...(more && { more }) }
}

/** Whether the workers serve this very revision of the object. */
function isServed(resource: StoredResource, { session }: StatusContext): boolean {
  return session.served !== undefined && resource.revision <= session.served.revision
}

function programmed(resource: StoredResource, context: StatusContext): Finding {
  return isServed(resource, context)
    ? { type: 'Programmed', status: 'True', reason: 'Serving', message: 'All workers serve it.' }
    : {
        type: 'Programmed',
        status: 'False',
        reason: 'Pending',
        message: 'It is stored and on its way to the workers.',
      }
}

function upstreamFindings({ name }: StoredResource, { session, states }: StatusContext): Findings {
  const assignment = session.served?.assignments.get(name)
  if (assignment === undefined) return { conditions: [] }
  const { weights, source, epoch } = assignment
  const split = states.get(name)?.split
  const held: Finding[] =
    split === undefined
      ? []
      : [
          {
            type: 'SplitHeld',
            status: 'True',
            reason: 'RunTimeSplit',
            message: `${split.actor} set ${sharesOf(split.weights)} at ${split.setAt}${split.reason === undefined ? '' : ` (${split.reason})`}. It stands until \`clearSplit\`, or until the definition of the split changes.`,
          },
        ]
  return { conditions: held, more: { weights, splitSource: source, epoch } }
}

function sharesOf(weights: Readonly<Record<string, number>>): string {
  return Object.entries(weights)
    .map(([version, weight]) => `${version} ${formatShare(weight).replace('%', ' %')}`)
    .join(', ')
}

function secretFindings(resource: Resource, { session }: StatusContext): Findings {
  const externals = session.served?.externals
  const problem = externals?.secretProblems.get(objectOf(resource))
  if (problem === undefined) {
    return {
      conditions: [
        {
          type: 'SecretResolved',
          status: externals === undefined ? 'Unknown' : 'True',
          reason: externals === undefined ? 'NotLoaded' : 'Resolved',
          message:
            externals === undefined ? 'Nothing is served yet.' : 'Every reference could be read.',
        },
      ],
    }
  }
  const isStale = externals?.leases.has(resource.name) === true
  const rest = isStale
    ? 'the value read before is used on'
    : 'requests that need it are answered with 503'
  return {
    conditions: [
      {
        type: 'SecretResolved',
        status: 'False',
        reason: isStale ? 'Stale' : 'Unresolved',
        message: `${sentenceFor(problem)}; ${rest}.`,
      },
    ],
  }
}

function certificateFindings(resource: StoredResource, { session }: StatusContext): Findings {
  const externals = session.served?.externals
  const loaded = externals?.certificates.get(resource.name)
  const problem = externals?.secretProblems.get(objectOf(resource))
  const rest =
    loaded === undefined ? 'it is not used' : 'the certificate that was read before is used on'
  const isLoaded: Finding =
    problem === undefined
      ? {
          type: 'Loaded',
          status: loaded === undefined ? 'Unknown' : 'True',
          reason: loaded === undefined ? 'NotLoaded' : 'Loaded',
          message: loaded === undefined ? 'Nothing is served yet.' : 'Certificate and key match.',
        }
      : {
          type: 'Loaded',
          status: 'False',
          reason: loaded === undefined ? 'Unusable' : 'Stale',
          message: `${sentenceFor(problem)}; ${rest}.`,
        }
  if (loaded === undefined) return { conditions: [isLoaded] }
  const { names, subject, issuer, fingerprint256, notBefore, notAfter } = loaded
  const flaw = validityFlaw(loaded, session.deps.clock.wallMs())
  const isValid: Finding = {
    type: 'Valid',
    status: flaw === undefined ? 'True' : 'False',
    reason: flaw === undefined ? 'InTime' : 'OutOfTime',
    message: flaw === undefined ? `It is valid until ${notAfter}.` : `It ${flaw}.`,
  }
  return {
    conditions: [isLoaded, isValid],
    more: { names, subject, issuer, fingerprint256, notBefore, notAfter },
  }
}

function appFindings(resource: StoredResource, context: StatusContext): Findings {
  const { clock } = context.session.deps
  const spec = readableSpecOf(app, resource)
  const hashes = context.session.served?.externals.appKeyHashes
  const activeKeys = (spec?.keys ?? []).filter(
    (key) =>
      (key.hash !== undefined || hashes?.has(`${resource.name}/${key.name}`) === true) &&
      (key.expiresAt === undefined || Date.parse(key.expiresAt) > clock.wallMs()),
  )
  const hasReferences = (spec?.keys ?? []).some((key) => key.secret !== undefined)
  const { conditions } = hasReferences ? secretFindings(resource, context) : { conditions: [] }
  return { conditions, more: { activeKeys: activeKeys.length } }
}

function gatewayFindings(_: StoredResource, { session }: StatusContext): Findings {
  const { mode, refusal } = session
  const finding: Finding =
    refusal === undefined
      ? {
          type: 'ConfigCurrent',
          status: 'True',
          reason: 'Current',
          message:
            mode === 'file' ? 'The files as they are now are served.' : 'The store is served.',
        }
      : {
          type: 'ConfigCurrent',
          status: 'False',
          reason: 'Refused',
          message: `Refused since ${refusal.at}, and the last good definition is served: ${refusal.message}`,
        }
  return {
    conditions: [finding],
    more: { mode, warnings: (session.served?.warnings ?? []).map(lineOf).slice(0, 100) },
  }
}

/** The singleton that nobody has written stands at its defaults, and still has a status. */
export function gatewayAtDefaults(at: string): StoredResource {
  return {
    kind: gateway.kind,
    name: 'default',
    workspace: defaultWorkspace,
    labels: {},
    spec: {},
    revision: 0,
    createdAt: at,
    updatedAt: at,
    managedBy: 'default',
  }
}
