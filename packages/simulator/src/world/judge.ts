// hot path: asked once for every dispatch of every policy: columns and integers, answers in fields.

import type { Scenario } from '../scenario/scenario.ts'
import type { Domain } from './domains.ts'
import type { Fleet } from './fleet.ts'
import { Pairs } from './pairs.ts'
import type { ResponseName } from './responses.ts'
import { mix } from './weighted.ts'

// The gateway stands in Frankfurt.
const GATEWAY = unitVector(50.11, 8.68)

const EARTH_KM = 6371
// Light in fibre takes 1 ms for 100 km there and back; routes are about 1.4 times the great circle.
const ROUTE_MS_PER_KM = 1.4 / 100
const SETUP_MS = 20
const REFUSED_AFTER_MS = 1_000
const COIN = 4294967296

/**
 * Decides what comes of each dispatch, and knows which exit a domain is holding off at any instant.
 * Its memory is of what it was sent: one judge for each policy that is compared.
 */
export class Judge {
  /** What came back of the last dispatch. */
  answer: ResponseName = 'page'
  latencyMs = 0
  /** For `too_many`: how long the exit is held off yet. */
  retryAfterMs = 0
  /** Whether the domain was already holding off that exit when the dispatch was made. */
  wasted = false

  readonly #fleet: Fleet
  readonly #domains: readonly Domain[]
  readonly #scenario: Scenario
  readonly #seed: number
  readonly #pairs: Pairs
  readonly #startMs: number

  constructor(
    scenario: Scenario,
    fleet: Fleet,
    domains: readonly Domain[],
    seed: number,
    startMs: number,
  ) {
    this.#scenario = scenario
    this.#fleet = fleet
    this.#domains = domains
    this.#seed = seed
    this.#startMs = startMs
    this.#pairs = new Pairs(Math.min(scenario.requests, domains.length * fleet.exits), fleet.exits)
  }

  /** Sends a request with this luck to a domain through an agent. */
  dispatch(nowMs: number, domain: number, agent: number, luck: number): void {
    const target = this.#domains[domain]
    const exit = this.#fleet.exitOf[agent]
    this.retryAfterMs = 0
    this.wasted = false
    const held = this.#heldOff(target, domain, agent, exit, nowMs)
    this.wasted = held !== null
    if (this.#offline(agent, nowMs)) this.answer = 'offline'
    else if (inOutage(target, nowMs - this.#startMs)) this.answer = 'outage'
    else this.answer = held ?? this.#countAndServe(target, domain, exit, nowMs, luck)
    this.latencyMs = this.#latencyMs(target, agent, luck)
  }

  /** The answer of a domain that is holding this exit off already; null if it is not. */
  #heldOff(
    target: Domain,
    domain: number,
    agent: number,
    exit: number,
    nowMs: number,
  ): ResponseName | null {
    const { deniedNetworks, deniedCountries, kind } = target
    if (deniedNetworks !== null && deniedNetworks[this.#fleet.networkOf[agent]] === 1) {
      return 'denied'
    }
    if (deniedCountries !== null && deniedCountries[this.#fleet.countryOf[agent]] === 1) {
      return 'denied'
    }
    if (kind.wary !== undefined && this.#wary(kind.wary, domain, exit, nowMs)) return 'challenge'
    if (kind.rate === undefined) return null
    const slot = this.#pairs.slotOf(domain, exit)
    const { heldUntilMs } = this.#pairs
    if (nowMs >= heldUntilMs[slot]) return null
    const { answer, knocks, holdMs, windowMs } = kind.rate
    if (knocks === 'restart') heldUntilMs[slot] = nowMs + holdMs
    else if (knocks === 'count') {
      this.#pairs.requests(slot, nowMs, windowMs)
      this.#pairs.count[slot]++
    }
    this.retryAfterMs = heldUntilMs[slot] - nowMs
    return RATE_ANSWERS[answer]
  }

  /**
   * A request that is not held off: it counts, may trip the rule, and else is served as the domain
   * serves.
   */
  #countAndServe(
    target: Domain,
    domain: number,
    exit: number,
    nowMs: number,
    luck: number,
  ): ResponseName {
    const { rate, errorShare = 0, flakyShare = 0, missingShare = 0 } = target.kind
    if (rate !== undefined) {
      const slot = this.#pairs.slotOf(domain, exit)
      const before = this.#pairs.requests(slot, nowMs, rate.windowMs)
      this.#pairs.count[slot]++
      if (before >= rate.limit) {
        this.#pairs.heldUntilMs[slot] = nowMs + rate.holdMs
        this.retryAfterMs = rate.holdMs
        return RATE_ANSWERS[rate.answer]
      }
    }
    const coin = mix(luck, 53, 0) / COIN
    if (coin < errorShare) return 'error'
    if (coin < errorShare + flakyShare) return 'challenge'
    return coin < errorShare + flakyShare + missingShare ? 'missing' : 'page'
  }

  /** Every pair has its own moment at which the coin is tossed anew. */
  #wary(
    { share, periodMs }: { readonly share: number; readonly periodMs: number },
    domain: number,
    exit: number,
    nowMs: number,
  ): boolean {
    const phase = mix(domain, exit, this.#seed ^ 59) % periodMs
    const period = Math.floor((nowMs - this.#startMs + phase) / periodMs)
    return mix(mix(domain, exit, period), this.#seed, 61) < share * COIN
  }

  #offline(agent: number, nowMs: number): boolean {
    const { offline } = this.#scenario.fleets[this.#fleet.fleetOf[agent]]
    if (offline === undefined) return false
    const phase = mix(agent, this.#seed, 67) % offline.periodMs
    const period = Math.floor((nowMs - this.#startMs + phase) / offline.periodMs)
    return mix(agent, period, this.#seed ^ 71) < offline.share * COIN
  }

  /**
   * Gateway to agent to domain and back, the server's time for what it serves, and an agent's own
   * slowness.
   */
  #latencyMs(target: Domain, agent: number, luck: number): number {
    const { x, y, z } = this.#fleet
    const near = kmBetween(GATEWAY.x, GATEWAY.y, GATEWAY.z, x[agent], y[agent], z[agent])
    const toAgent = SETUP_MS + near * ROUTE_MS_PER_KM
    if (this.answer === 'offline') return Math.round(toAgent + REFUSED_AFTER_MS)
    const far = kmBetween(target.x, target.y, target.z, x[agent], y[agent], z[agent])
    const slowness = 0.8 + (1.2 * mix(agent, this.#seed, 73)) / COIN
    const served = this.answer === 'page' || this.answer === 'missing' || this.answer === 'error'
    const jitter = 0.5 + (1.5 * mix(luck, 79, 0)) / COIN
    const serverMs = served ? target.kind.serverMs * jitter : 5
    return Math.round((toAgent + far * ROUTE_MS_PER_KM) * slowness + serverMs)
  }
}

const RATE_ANSWERS = {
  rate_limited: 'too_many',
  challenge: 'challenge',
  block: 'denied',
} as const satisfies Readonly<Record<string, ResponseName>>

function inOutage({ outages }: Domain, sinceStartMs: number): boolean {
  for (const [startMs, endMs] of outages) {
    if (sinceStartMs >= startMs && sinceStartMs < endMs) return true
  }
  return false
}

/** Great-circle km between two unit vectors. */
export function kmBetween(
  ax: number,
  ay: number,
  az: number,
  bx: number,
  by: number,
  bz: number,
): number {
  const x = ax - bx
  const y = ay - by
  const z = az - bz
  const half = Math.sqrt(x * x + y * y + z * z) / 2
  return 2 * EARTH_KM * Math.asin(half < 1 ? half : 1)
}

function unitVector(lat: number, lon: number) {
  const phi = (lat * Math.PI) / 180
  const theta = (lon * Math.PI) / 180
  return {
    x: Math.cos(phi) * Math.cos(theta),
    y: Math.cos(phi) * Math.sin(theta),
    z: Math.sin(phi),
  }
}
