import type { HealthPolicy, OutcomeKind } from '../../packages/core/src/health/record.ts'
import type { IncidentPolicy } from '../../packages/core/src/health/incident.ts'
import type { Lease } from '../../packages/core/src/store/store.ts'
import { hash32 } from '../../packages/core/src/random.ts'
import type { Policies } from './health-world.ts'

const HOUR_MS = 3_600_000

/** One pair in the plainest words: what it is shut by, and what stands against it. */
interface Pair {
  grave: boolean
  shutUntilMs: number
  epoch: number
  strikes: number
  rung: number
  coolsFromMs: number
  oks: number
  limits: number
  handUntilMs: number
  trial: Lease | null
  goneAtMs: number
}

interface Guard {
  openSinceMs: number
  newestMs: number
  shuts: number[]
  failing: Set<string>
  tried: number
}

/** The health of pairs by plain loops and lists, written from the laws, without the code's tables and transitions. */
export class NaiveHealth {
  readonly #pairs = new Map<string, Pair>()
  readonly #guards = new Map<string, Guard>()
  readonly #hands = new Map<string, number>()
  #leases: Lease[] = []
  readonly #health: HealthPolicy
  readonly #incident: IncidentPolicy
  readonly #exits: number

  constructor({ health, incident }: Policies, exits: number) {
    this.#health = health
    this.#incident = incident
    this.#exits = exits
  }

  /** `go`, `probe`, or `no`. */
  verdict(exit: string, domain: string, nowMs: number): 'go' | 'probe' | 'no' {
    if (nowMs < (this.#hands.get(exit) ?? 0)) return 'no'
    const pair = this.#pair(exit, domain, nowMs)
    if (nowMs < pair.handUntilMs || nowMs < pair.shutUntilMs) return 'no'
    if (!pair.grave) return 'go'
    return pair.trial !== null && nowMs < pair.trial.deadlineMs ? 'no' : 'probe'
  }

  epoch(exit: string, domain: string, nowMs: number): number {
    return this.#pair(exit, domain, nowMs).epoch
  }

  strikes(exit: string, domain: string, nowMs: number): number {
    return this.#pair(exit, domain, nowMs).strikes
  }

  isOpen(domain: string, nowMs: number): boolean {
    return this.#guard(domain, nowMs).openSinceMs > 0
  }

  inFlight(agentId: string, nowMs: number): number {
    return this.#leases.filter((l) => l.agentId === agentId && nowMs < l.deadlineMs).length
  }

  take(lease: Lease, nowMs: number): void {
    this.#leases.push(lease)
    const guard = this.#guard(lease.domain, nowMs)
    if (guard.failing.size > 0) guard.tried++
    if (!lease.probe) return
    const pair = this.#pair(lease.exit, lease.domain, nowMs)
    pair.trial = lease
    this.#remember(pair, nowMs)
  }

  report(
    lease: Lease,
    kind: OutcomeKind,
    retryAfterMs: number,
    nowMs: number,
  ): 'applied' | 'stale' {
    const { exit, domain } = lease
    const open = this.#leases.some((l) => l.id === lease.id && nowMs < l.deadlineMs)
    this.#leases = this.#leases.filter((l) => l.id !== lease.id)
    const pair = this.#pair(exit, domain, nowMs)
    const fenced = lease.epoch < pair.epoch
    const shuts = kind === 'blocked' || kind === 'challenged' || kind === 'rate_limited'
    if (!open && (fenced || !shuts || nowMs >= lease.pickedAtMs + HOUR_MS)) return 'stale'
    this.#watch(lease, kind, shuts && !fenced && this.#looksFree(pair, nowMs), nowMs)
    const trial = pair.trial?.id === lease.id && nowMs < pair.trial.deadlineMs
    if (trial) pair.trial = null
    if (fenced) return 'stale'
    if (kind === 'ok') this.#ok(pair, lease, trial, nowMs)
    if (shuts) this.#shut(pair, lease, kind, retryAfterMs, nowMs)
    return 'applied'
  }

  exclude(exit: string, domain: string, untilMs: number, nowMs: number): void {
    if (domain === '*') {
      this.#hands.set(exit, untilMs)
      return
    }
    const pair = this.#pair(exit, domain, nowMs)
    pair.epoch++
    pair.handUntilMs = untilMs
    const { goneAtMs } = pair
    this.#remember(pair, nowMs)
    // What was announced before is not forgotten sooner for it.
    if (goneAtMs !== Infinity) pair.goneAtMs = Math.max(pair.goneAtMs, goneAtMs)
  }

  restore(exit: string, domain: string, nowMs: number): void {
    if (domain === '*') {
      this.#hands.delete(exit)
      return
    }
    const { epoch } = this.#pair(exit, domain, nowMs)
    this.#pairs.delete(`${exit} ${domain}`)
    const pair = this.#pair(exit, domain, nowMs)
    pair.epoch = epoch + 1
    this.#remember(pair, nowMs)
  }

  #looksFree(pair: Pair, nowMs: number): boolean {
    return nowMs >= pair.handUntilMs && nowMs >= pair.shutUntilMs && !pair.grave
  }

  #pair(exit: string, domain: string, nowMs: number): Pair {
    const name = `${exit} ${domain}`
    const known = this.#pairs.get(name)
    if (known !== undefined && nowMs < known.goneAtMs) return known
    const fresh: Pair = {
      grave: false,
      shutUntilMs: 0,
      epoch: 0,
      strikes: 0,
      rung: 0,
      coolsFromMs: 0,
      oks: 0,
      limits: 0,
      handUntilMs: 0,
      trial: null,
      goneAtMs: Infinity,
    }
    this.#pairs.set(name, fresh)
    return fresh
  }

  #remember(pair: Pair, nowMs: number): void {
    const announced = [nowMs, pair.shutUntilMs, pair.handUntilMs, pair.trial?.deadlineMs ?? 0]
    const hourAfter = Math.max(...announced) + HOUR_MS
    const cold =
      Math.max(pair.shutUntilMs, pair.coolsFromMs) + pair.strikes * this.#health.strikeDecayMs
    const atMs = pair.strikes > 0 ? Math.max(hourAfter, cold) : hourAfter
    pair.goneAtMs = Math.ceil(atMs / 60_000) * 60_000
  }

  #cool(pair: Pair, nowMs: number): void {
    for (;;) {
      const nextMs = Math.max(pair.shutUntilMs, pair.coolsFromMs) + this.#health.strikeDecayMs
      if (pair.strikes === 0 || nowMs < nextMs) return
      pair.coolsFromMs = nextMs
      pair.strikes--
      pair.rung = pair.strikes === 0 ? 0 : Math.max(0, pair.rung - 1)
    }
  }

  #ok(pair: Pair, lease: Lease, trial: boolean, nowMs: number): void {
    if (lease.epoch !== pair.epoch || (!trial && !this.#looksFree(pair, nowMs))) return
    const cooled = { ...pair }
    this.#cool(cooled, nowMs)
    // What is written cools when something else is written: an ok that changes nothing leaves it.
    if (!trial && cooled.strikes === 0 && cooled.limits === 0) return
    Object.assign(pair, cooled)
    if (trial) {
      pair.grave = false
      pair.coolsFromMs = Math.max(pair.coolsFromMs, pair.shutUntilMs)
      pair.shutUntilMs = 0
    }
    pair.limits = 0
    pair.oks++
    if (pair.oks >= this.#health.okStreakToForget) pair.strikes = pair.rung = 0
    this.#remember(pair, nowMs)
  }

  #shut(pair: Pair, lease: Lease, kind: OutcomeKind, retryAfterMs: number, nowMs: number): void {
    this.#cool(pair, nowMs)
    const { ladder, rateLimitedMs, jitter } = this.#health
    const frozen = this.isOpen(lease.domain, nowMs)
    const mild = ladder.filter(({ health }) => health === 'limited').length
    const lastsMs = (rung: number): number =>
      rung === 0 ? rateLimitedMs : ladder[rung - 1].durationMs
    const strike = (): void => {
      pair.strikes++
      pair.coolsFromMs = nowMs
      pair.oks = 0
    }
    let forMs: number
    if (kind === 'rate_limited') {
      pair.limits++
      forMs = Math.max(rateLimitedMs, Math.min(HOUR_MS, Math.max(1_000, retryAfterMs)))
      if (pair.limits >= 3) {
        const rung = Math.min(pair.rung + 1, mild)
        forMs = Math.max(forMs, lastsMs(rung))
        if (!frozen) strike()
        if (!frozen && !pair.grave) pair.rung = Math.max(pair.rung, rung)
      }
    } else {
      pair.limits = 0
      const least = kind === 'blocked' || pair.grave ? mild + 1 : 1
      const rung = Math.min(ladder.length, Math.max(pair.rung + 1, least))
      if (frozen) forMs = lastsMs(pair.grave ? Math.max(pair.rung, mild + 1) : Math.min(rung, mild))
      else {
        strike()
        pair.rung = rung
        forMs = lastsMs(rung)
        if (rung > mild) pair.grave = true
      }
    }
    pair.epoch = Math.max(pair.epoch, lease.epoch) + 1
    const share = hash32(lease.domain, hash32(lease.exit, pair.epoch)) / 2 ** 32
    pair.shutUntilMs = Math.max(pair.shutUntilMs, nowMs + Math.floor(forMs * (1 + jitter * share)))
    this.#remember(pair, nowMs)
  }

  #guard(domain: string, nowMs: number): Guard {
    const known = this.#guards.get(domain)
    if (known !== undefined && nowMs < known.newestMs + HOUR_MS) return known
    const fresh: Guard = {
      openSinceMs: 0,
      newestMs: nowMs,
      shuts: [],
      failing: new Set(),
      tried: 0,
    }
    this.#guards.set(domain, fresh)
    return fresh
  }

  #watch(lease: Lease, kind: OutcomeKind, newlyShut: boolean, nowMs: number): void {
    const guard = this.#guard(lease.domain, nowMs)
    if (kind === 'ok') {
      if (guard.openSinceMs > 0) guard.shuts = []
      guard.openSinceMs = 0
      guard.failing.clear()
      return
    }
    const fails = kind === 'blocked' || kind === 'challenged' || kind === 'target_error'
    if (!fails && kind !== 'rate_limited') return
    if (guard.openSinceMs > 0 || fails || newlyShut) guard.newestMs = nowMs
    if (guard.openSinceMs > 0) return
    if (newlyShut) guard.shuts.push(nowMs)
    if (fails) {
      if (guard.failing.size === 0) {
        const { domain } = lease
        guard.tried =
          1 + this.#leases.filter((l) => l.domain === domain && nowMs < l.deadlineMs).length
      }
      guard.failing.add(lease.exit)
    }
    const newest = Math.floor(nowMs / 5_000)
    const shuts = guard.shuts.filter((atMs) => newest - Math.floor(atMs / 5_000) < 12).length
    const { minExclusions, exclusionShare, minFailures, failureShare } = this.#incident
    const wave = shuts > Math.max(minExclusions, exclusionShare * this.#exits)
    const tried = Math.min(guard.tried, this.#exits)
    const panic = fails && guard.failing.size >= Math.max(minFailures, failureShare * tried)
    if (!wave && !panic) return
    guard.openSinceMs = nowMs
    guard.failing.clear()
  }
}
