import { systemClock, type Clock } from '../clock.ts'
import {
  expectInteger,
  OstlerError,
  shown,
  throwIfAny,
  unknownField,
  type Problem,
} from '../errors.ts'
import {
  breakerPolicyProblems,
  resolveBreakerPolicy,
  type BreakerPolicy,
} from '../health/breaker.ts'
import {
  incidentPolicyProblems,
  resolveIncidentPolicy,
  type IncidentPolicy,
} from '../health/incident.ts'
import { healthPolicyProblems, resolveHealthPolicy } from '../health/ladder.ts'
import type { HealthPolicy } from '../health/record.ts'
import {
  policiesProblems,
  resolvePolicy,
  type Policy,
  type ResolvedPolicy,
} from '../limit/policy.ts'
import type { Random } from '../random.ts'
import type { Mode, Store } from '../store/store.ts'
import {
  degradedProblems,
  resolveDegraded,
  type DegradedOptions,
  type ResolvedDegraded,
} from './degraded-options.ts'

/** A named set of policies, all of which must admit, and how many permits a key may hold. */
export interface Tier {
  /** 0 to 16, names unique within the tier. */
  readonly policies: readonly Policy[]
  /** 1 to 100,000. Default: permits are not offered. */
  readonly permits?: number
}

export interface SchedulerOptions<M extends Mode> {
  readonly store: Store<M>
  /** Default none: a scheduler that only picks. At most 1,000. */
  readonly tiers?: Readonly<Record<string, Tier>>
  /** What a health key is: the registrable domain (default) or the host. */
  readonly scope?: 'registrable' | 'host'
  readonly health?: Partial<HealthPolicy>
  readonly incident?: Partial<IncidentPolicy>
  readonly breaker?: Partial<BreakerPolicy>
  /** Dispatches of this process to a domain at once while an incident is open, 1 to 1,000,000. Default: as many as are asked for. */
  readonly incidentInFlight?: number
  /** How long a lease lasts if nothing is reported, 1 s to 1 h. Default 60_000. */
  readonly leaseMs?: number
  /** Domains whose view is kept ready, 1 to 1,000,000. Others are rebuilt when next picked. Default 10,000. */
  readonly maxViews?: number
  /** Exclusions that may fall due in one pick, 1 or more. Default 64. */
  readonly drainPerPick?: number
  /** Share of a domain's picks that may be probes while an agent is available, 0.01 to 1. Default 0.1. */
  readonly probeShare?: number
  /** What to do while the store is out of reach. */
  readonly degraded?: DegradedOptions
  /** Default: the store's clock where it decides on one of its own, else the machine's. */
  readonly clock?: Clock
  /** Default Math.random. Give a seeded one to replay a run. */
  readonly random?: Random
}

/** A tier as the scheduler uses it. `permits` is null where none are offered. */
export interface ResolvedTier {
  readonly policies: readonly ResolvedPolicy[]
  readonly permits: number | null
}

/** Options with every default filled in. */
export interface ResolvedOptions<M extends Mode> {
  readonly store: Store<M>
  readonly tiers: Map<string, ResolvedTier>
  readonly scope: 'registrable' | 'host'
  readonly health: HealthPolicy
  readonly incident: IncidentPolicy
  readonly breaker: BreakerPolicy
  /** Infinity where an incident throttles nothing. */
  readonly incidentInFlight: number
  readonly leaseMs: number
  readonly maxViews: number
  readonly drainPerPick: number
  /** Picks between two probes, at least. */
  readonly probeSpacing: number
  readonly degraded: ResolvedDegraded
  readonly clock: Clock
  readonly random: Random
}

/** A dispatch lasts an hour at most: reports are honoured as long. */
export const MAX_LEASE_MS = 3_600_000
const MAX_TIERS = 1000
const MAX_PERMITS = 100_000
const TIER_NAME = /^[A-Za-z0-9._:-]{1,64}$/
const FIELDS: readonly string[] = [
  'store',
  'tiers',
  'scope',
  'health',
  'incident',
  'breaker',
  'incidentInFlight',
  'leaseMs',
  'maxViews',
  'drainPerPick',
  'probeShare',
  'degraded',
  'clock',
  'random',
]
/** All that a scheduler asks of a store. */
const STORE_METHODS: readonly (keyof Store)[] = [
  'consume',
  'peek',
  'refund',
  'usage',
  'permits',
  'renew',
  'release',
  'acquire',
  'settle',
  'exclude',
  'restore',
  'exclusions',
  'merge',
  'putAgents',
  'removeAgents',
  'agents',
  'close',
]

/** Checks everything and fills in the defaults. @throws OstlerError INVALID_OPTIONS, with every problem by its path. */
export function resolveOptions<M extends Mode>(options: SchedulerOptions<M>): ResolvedOptions<M> {
  if (typeof options !== 'object' || options === null) {
    throw new OstlerError('INVALID_OPTIONS', `options must be an object, got ${shown(options)}`)
  }
  throwIfAny('INVALID_OPTIONS', optionsProblems(options))
  const tiers = new Map<string, ResolvedTier>()
  for (const [name, tier] of Object.entries(options.tiers ?? {})) tiers.set(name, resolveTier(tier))
  return {
    store: options.store,
    tiers,
    scope: options.scope ?? 'registrable',
    health: resolveHealthPolicy(options.health),
    incident: resolveIncidentPolicy(options.incident),
    breaker: resolveBreakerPolicy(options.breaker),
    incidentInFlight: options.incidentInFlight ?? Infinity,
    leaseMs: options.leaseMs ?? 60_000,
    maxViews: options.maxViews ?? 10_000,
    drainPerPick: options.drainPerPick ?? 64,
    probeSpacing: Math.ceil(1 / (options.probeShare ?? 0.1)) - 1,
    degraded: resolveDegraded(options.degraded),
    clock: options.clock ?? options.store.clock ?? systemClock,
    random: options.random ?? Math.random,
  }
}

function resolveTier(tier: Tier): ResolvedTier {
  return { policies: tier.policies.map(resolvePolicy), permits: tier.permits ?? null }
}

/** Checks a tier that is added to others, or changes one of them. @throws OstlerError INVALID_OPTIONS */
export function checkedTier(
  tiers: ReadonlyMap<string, ResolvedTier>,
  name: string,
  tier: Tier,
): ResolvedTier {
  const problems = tierProblems(name, tier)
  if (!tiers.has(name) && tiers.size >= MAX_TIERS) {
    const message = `must hold at most ${MAX_TIERS} tiers, got one more: ${shown(name)}`
    problems.push({ path: 'tiers', message })
  }
  throwIfAny('INVALID_OPTIONS', problems)
  return resolveTier(tier)
}

/** All that is wrong with a tier, by path. */
function tierProblems(name: unknown, tier: unknown): Problem[] {
  if (typeof name !== 'string' || !TIER_NAME.test(name)) {
    const message = `must be named by 1 to 64 characters of A-Z a-z 0-9 . _ : -, got ${shown(name)}`
    return [{ path: 'tiers', message }]
  }
  const path = `tiers.${name}`
  if (typeof tier !== 'object' || tier === null) {
    return [{ path, message: `must be a tier { policies, permits? }, got ${shown(tier)}` }]
  }
  const { policies, permits, ...others } = tier as Record<string, unknown>
  const problems = policiesProblems(policies, `${path}.policies`)
  if (permits !== undefined) expectInteger(problems, `${path}.permits`, permits, 1, MAX_PERMITS)
  for (const other of Object.keys(others)) {
    problems.push({ path, message: unknownField(other, 'a tier', ['policies', 'permits']) })
  }
  return problems
}

function optionsProblems(options: SchedulerOptions<Mode>): Problem[] {
  const problems: Problem[] = []
  for (const name of Object.keys(options)) {
    if (FIELDS.includes(name)) continue
    problems.push({ path: 'options', message: unknownField(name, "a scheduler's options", FIELDS) })
  }
  storeProblems(problems, options.store)
  tiersProblems(problems, options.tiers)
  if (options.scope !== undefined && options.scope !== 'registrable' && options.scope !== 'host') {
    const message = `must be 'registrable' or 'host', got ${shown(options.scope)}`
    problems.push({ path: 'scope', message })
  }
  if (options.health !== undefined) problems.push(...healthPolicyProblems(options.health, 'health'))
  if (options.incident !== undefined) {
    problems.push(...incidentPolicyProblems(options.incident, 'incident'))
  }
  if (options.breaker !== undefined) {
    problems.push(...breakerPolicyProblems(options.breaker, 'breaker'))
  }
  problems.push(...degradedProblems(options.degraded, 'degraded'))
  const { leaseMs = 1000, maxViews = 1, drainPerPick = 1, probeShare = 1 } = options
  expectInteger(problems, 'incidentInFlight', options.incidentInFlight ?? 1, 1, 1_000_000)
  expectInteger(problems, 'leaseMs', leaseMs, 1000, MAX_LEASE_MS)
  expectInteger(problems, 'maxViews', maxViews, 1, 1_000_000)
  expectInteger(problems, 'drainPerPick', drainPerPick, 1, Number.MAX_SAFE_INTEGER)
  if (!(typeof probeShare === 'number' && probeShare >= 0.01 && probeShare <= 1)) {
    const message = `must be a number from 0.01 to 1, got ${shown(probeShare)}`
    problems.push({ path: 'probeShare', message })
  }
  if (options.clock !== undefined && typeof options.clock?.nowMs !== 'function') {
    const message = `must have a method nowMs(), got ${shown(options.clock)}`
    problems.push({ path: 'clock', message })
  }
  if (options.random !== undefined && typeof options.random !== 'function') {
    const message = `must be a function that gives numbers in [0, 1), got ${shown(options.random)}`
    problems.push({ path: 'random', message })
  }
  return problems
}

function storeProblems(problems: Problem[], store: unknown): void {
  const { mode } = (store ?? {}) as Partial<Store>
  if (mode !== 'sync' && mode !== 'async') {
    const message = `must be a store, such as memoryStore(), got ${shown(store)}`
    problems.push({ path: 'store', message })
    return
  }
  const methods = store as Readonly<Record<string, unknown>>
  const missing = STORE_METHODS.filter((name) => typeof methods[name] !== 'function')
  if (missing.length === 0) return
  problems.push({ path: 'store', message: `must be a store; it lacks ${missing.join(', ')}` })
}

function tiersProblems(problems: Problem[], tiers: unknown): void {
  if (tiers === undefined) return
  // A Map of tiers has no entries of its own: it would be taken for none.
  if (typeof tiers !== 'object' || tiers === null || Symbol.iterator in tiers) {
    problems.push({ path: 'tiers', message: `must be an object of tiers, got ${shown(tiers)}` })
    return
  }
  const entries = Object.entries(tiers)
  if (entries.length > MAX_TIERS) {
    problems.push({
      path: 'tiers',
      message: `must hold at most ${MAX_TIERS} tiers, got ${entries.length}`,
    })
    return
  }
  for (const [name, tier] of entries) problems.push(...tierProblems(name, tier))
}
