import type {
  AcquireRequest,
  Acquired,
  Change,
  Changes,
  PairRecord,
  SettleRequest,
  Settled,
} from '@ostler/core'
import { AcquireCall, AcquireRoute, type AcquireAnswer } from './acquire.ts'
import { decodeIncident, decodeBreaker, decodeRecord, encodeRecord } from './health-codec.ts'
import type { HealthContext } from './health-context.ts'
import { gathered } from './pages.ts'
import { breakerPolicyText, healthPolicyText, incidentPolicyText } from './policy-codec.ts'
import { Driven } from './driven.ts'

export interface HealthBounds {
  /** Records of pairs in one domain: 1 to 100,000,000. Default 1,000,000. */
  readonly maxRecords?: number
  /** Outstanding leases in one domain: 1 to 100,000,000. Default 1,000,000. */
  readonly maxLeases?: number
  /** Agents: 1 to 10,000,000. Default 1,000,000. */
  readonly maxAgents?: number
}

/** Changes in one answer of `exclusions`, and records in one decision of `merge`. */
const PAGE = 1_000
const MERGED_TOGETHER = 256
const MOST_ROUTES = 16

const LOOKED = ['meta', 'record', 'incident', 'domain', 'changes']
const WRITTEN = ['meta', 'record', 'incident', 'domain', 'announce', 'keep']
const REPORTED = ['hash', 'keep', 'transition', 'observe', 'watch', 'lease', 'breaker', 'fleet']
const SETTLE = new Driven('settle', [...LOOKED, 'announce', ...REPORTED])
const BY_HAND = new Driven('by-hand', WRITTEN)
const MERGE = new Driven('merge', ['hash', ...WRITTEN, 'join'])
const REST = new Driven('rest-exit', ['meta', 'announce', 'fleet'])
const EXCLUSIONS = new Driven('exclusions', LOOKED)

/** As the scripts tell them: `[version]`, or `[version, flags, incident, exit, record, ...]`. */
export type Told = readonly (number | string)[]

/**
 * Pairs, leases, incidents and breakers on Redis: each method one decision of one script, with
 * the semantics that `Store` states.
 * Everything has one hash tag, so on a Cluster one node decides about health.
 */
export class RedisHealth {
  readonly #context: HealthContext
  readonly #maxRecords: number
  readonly #maxLeases: number
  readonly #maxAgents: number
  /** By the policy's strikeDecayMs. */
  readonly #acquire = new Map<number, AcquireRoute>()

  /** The options are trusted: the store's factory has checked them. */
  constructor(context: HealthContext, bounds: HealthBounds = {}) {
    this.#context = context
    this.#maxRecords = bounds.maxRecords ?? 1_000_000
    this.#maxLeases = bounds.maxLeases ?? 1_000_000
    this.#maxAgents = bounds.maxAgents ?? 1_000_000
  }

  acquire(request: AcquireRequest): Promise<Acquired> {
    return new Promise((resolve, reject) => {
      const { keys } = this.#context
      const touched = [keys.health(`l:${request.leaseId}`)]
      for (const { agentId } of request.candidates) touched.push(keys.health(`a:${agentId}`))
      const answer = (told: AcquireAnswer, fleetVersion: number): void =>
        resolve(this.#acquired(request, told, fleetVersion))
      const domainKeys = this.#context.partsOf(request.domain)
      const call = new AcquireCall(request, domainKeys, touched, answer, reject)
      this.#context.ask(this.#routeOf(request), call)
    })
  }

  #acquired(
    { domain, viewVersion, nowMs }: AcquireRequest,
    answer: AcquireAnswer,
    fleetVersion: number,
  ): Acquired | Promise<Acquired> {
    if (typeof answer === 'number') {
      const changes = nothingNew(viewVersion)
      return { kind: 'acquired', index: answer, epoch: 0, probe: false, changes, fleetVersion }
    }
    const told = answer[0] === 0 ? answer[2] : answer[4]
    return this.#changes(domain, viewVersion, told, nowMs).then((changes): Acquired => {
      if (answer[0] === 0) {
        return { kind: 'refused', busyUntilMs: answer[1], changes, fleetVersion }
      }
      const [, index, epoch, probe] = answer
      return { kind: 'acquired', index, epoch, probe: probe === 1, changes, fleetVersion }
    })
  }

  /** In the caller's time each decision has an instant of its own, and so travels alone. */
  #routeOf({ health, nowMs }: AcquireRequest): AcquireRoute {
    const { strikeDecayMs } = health
    if (this.#context.isCallers) {
      const head = this.#context.headOfChange(nowMs)
      return new AcquireRoute(this.#context, head, strikeDecayMs, this.#maxLeases)
    }
    let route = this.#acquire.get(strikeDecayMs)
    if (route === undefined) {
      const head = this.#context.headOfChange(0)
      route = new AcquireRoute(this.#context, head, strikeDecayMs, this.#maxLeases)
      // A process goes by one policy or two.
      if (this.#acquire.size >= MOST_ROUTES) this.#acquire.clear()
      this.#acquire.set(strikeDecayMs, route)
    }
    return route
  }

  async settle(request: SettleRequest): Promise<Settled> {
    const { lease, outcome, viewVersion, nowMs } = request
    const { keys } = this.#context
    const touched = this.#context.domainKeys(lease.domain)
    touched.push(keys.health(`l:${lease.id}`), keys.health(`a:${lease.agentId}`))
    touched.push(keys.health('b'), keys.health('c'), keys.health('t'))
    const args = this.#context.headOfChange(nowMs)
    args.push(lease.domain, viewVersion, lease.id, lease.agentId, lease.exit, lease.epoch)
    args.push(lease.pickedAtMs, outcome.kind, outcome.retryAfterMs ?? '', request.exits)
    args.push(healthPolicyText(request.health), incidentPolicyText(request.incident))
    args.push(breakerPolicyText(request.breaker), this.#maxRecords, this.#maxAgents)
    const answer = (await this.#context.decide(SETTLE, touched, args)) as SettledAnswer
    const [applied, changed, record, breaker, fleetVersion, told] = answer
    return {
      kind: applied === 1 ? 'applied' : 'stale',
      changed: changed === 1,
      record: record === '' ? null : decodeRecord(record),
      breaker: breaker === '' ? null : decodeBreaker(breaker),
      changes: await this.#changes(lease.domain, viewVersion, told, nowMs),
      fleetVersion,
    }
  }

  async exclude(exit: string, domain: string, untilMs: number, nowMs: number): Promise<void> {
    if (domain === '*') await this.#rest(exit, untilMs, nowMs)
    else await this.#byHand(exit, domain, untilMs, nowMs)
  }

  async restore(exit: string, domain: string, nowMs: number): Promise<void> {
    if (domain === '*') await this.#rest(exit, 0, nowMs)
    else await this.#byHand(exit, domain, '', nowMs)
  }

  async exclusions(domain: string, sinceVersion: number, nowMs: number): Promise<Changes> {
    const told = await this.#page(domain, sinceVersion, nowMs)
    return this.#changes(domain, sinceVersion, told, nowMs)
  }

  /** In portions of 256, one after the other: repeating it after a failure comes to the same. */
  async merge(domain: string, changes: readonly Change[], nowMs: number): Promise<void> {
    const known = changes.filter((change) => change.record !== null)
    // Also where there is nothing to join, this store's time has come so far.
    const head = [...this.#context.headOfChange(nowMs), domain, this.#maxRecords]
    for (let from = 0; from < known.length; from += MERGED_TOGETHER) {
      const args = [...head]
      for (const { exit, record } of known.slice(from, from + MERGED_TOGETHER)) {
        args.push(exit, encodeRecord(record as PairRecord))
      }
      await this.#context.decide(MERGE, this.#context.domainKeys(domain), args)
    }
  }

  async #byHand(exit: string, domain: string, until: number | '', nowMs: number): Promise<void> {
    const args = this.#context.headOfChange(nowMs)
    args.push(domain, exit, until, this.#maxRecords)
    await this.#context.decide(BY_HAND, this.#context.domainKeys(domain), args)
  }

  /** Lets an exit rest for every domain until an instant; one that has passed ends its rest. */
  async #rest(exit: string, untilMs: number, nowMs: number): Promise<void> {
    const args = this.#context.headOfChange(nowMs)
    args.push(exit, untilMs, this.#maxAgents)
    await this.#context.decide(REST, this.#context.fleetKeys('x', 'c', 't'), args)
  }

  async #page(domain: string, since: number, nowMs: number): Promise<Told> {
    const args = [...this.#context.head(nowMs), since, PAGE]
    return (await this.#context.call(EXCLUSIONS, this.#context.domainKeys(domain), args)) as Told
  }

  async #changes(domain: string, since: number, first: Told, nowMs: number): Promise<Changes> {
    if (first.length === 1) return nothingNew(first[0] as number)
    let incident = ''
    const page = (told: Told): Told => {
      incident = String(told[2] ?? '')
      return [told[0], told[1] ?? 0, ...told.slice(3)]
    }
    const next = async (from: number): Promise<Told> => page(await this.#page(domain, from, nowMs))
    const { version, reset, lost, told } = await gathered(since, page(first), decodeRecord, next)
    const changes = Array.from(told, ([exit, record]) => ({ exit, record }))
    const answer = { version, reset, changes, incident: decodeIncident(incident) }
    return lost ? { ...answer, lost } : answer
  }
}

function nothingNew(version: number): Changes {
  return { version, reset: false, changes: [], incident: null }
}

type SettledAnswer = readonly [
  applied: 0 | 1,
  changed: 0 | 1,
  record: string,
  breaker: string,
  fleetVersion: number,
  changes: Told,
]
