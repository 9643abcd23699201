import {
  DEFAULT_BREAKER_POLICY,
  DEFAULT_HEALTH_POLICY,
  DEFAULT_INCIDENT_POLICY,
  memoryStore,
  Scheduler,
  type Agent,
  type IncidentPolicy,
  type SchedulerOptions,
  type Tier,
} from '@ostler/core'
import { ManualClock, World, type ScriptPools } from '@ostler/testkit'

export const TIERS: Readonly<Record<string, Tier>> = {
  free: {
    policies: [
      { name: 'second', limit: 2, windowMs: 1_000 },
      { name: 'minute', limit: 5, windowMs: 60_000, quantumMs: 250 },
    ],
    permits: 2,
  },
  paid: { policies: [{ name: 'large', limit: 300, windowMs: 60_000 }], permits: 3 },
  open: { policies: [] },
}

export const POOLS: ScriptPools = {
  ids: Array.from({ length: 14 }, (_, i) => `a${i}`),
  domains: ['shop.example', 'news.example', 'api.example'],
  keys: ['k1', 'k2'],
  tiers: [
    { name: 'free', permits: true },
    { name: 'paid', permits: true },
    { name: 'open', permits: false },
  ],
}

/** An incident opens early: scripts are short. */
export const INCIDENT: IncidentPolicy = {
  ...DEFAULT_INCIDENT_POLICY,
  minExclusions: 5,
  minFailures: 4,
}

type Options = Omit<Partial<SchedulerOptions<'sync'>>, 'store' | 'clock' | 'incident'>

/** A scheduler on a memory store, and the naive model beside it. Nothing falls due late unless a test asks for it. */
export function openWorld(
  agents: readonly Agent[] = [],
  options: Options = {},
  dressed: (scheduler: Scheduler<'sync'>, clock: ManualClock) => Scheduler<'sync'> = (bare) => bare,
): World {
  const clock = new ManualClock(1_200_000_000)
  const scheduler = new Scheduler({
    store: memoryStore(),
    clock,
    tiers: TIERS,
    incident: INCIDENT,
    drainPerPick: 1_000_000,
    ...options,
  })
  const world = new World(dressed(scheduler, clock), clock, {
    tiers: TIERS,
    naive: {
      health: { ...DEFAULT_HEALTH_POLICY, ...options.health },
      incident: INCIDENT,
      breaker: { ...DEFAULT_BREAKER_POLICY, ...options.breaker },
      probeShare: options.probeShare ?? 0.1,
      ...(options.incidentInFlight !== undefined && { incidentInFlight: options.incidentInFlight }),
    },
  })
  if (agents.length > 0) world.upsert(agents)
  return world
}
