import {
  DEFAULT_BREAKER_POLICY,
  DEFAULT_HEALTH_POLICY,
  DEFAULT_INCIDENT_POLICY,
  Scheduler,
  type IncidentPolicy,
} from '@ostler/core'
import { fleetArbitrary, ManualClock, runScript, scriptArbitrary, World } from '@ostler/testkit'
import fc from 'fast-check'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { check, nightly, replaying, TIMEOUT_MS } from '../../properties/replay.ts'
import { POOLS, TIERS } from '../../properties/rig.ts'
import { Stores } from './rig.ts'

/** An incident opens early: scripts are short. */
const INCIDENT: IncidentPolicy = { ...DEFAULT_INCIDENT_POLICY, minExclusions: 5, minFailures: 4 }
const LENGTH = 120
const RUNS = 60

const stores = new Stores()
let commands = 0

afterEach(() => stores.endFresh())

/** A scheduler on a fresh file, and the naive model beside it. */
function openWorld(durability: 'sync' | 'batched'): World {
  const clock = new ManualClock(1_200_000_000)
  const store = stores.openFresh({ durability })
  const scheduler = new Scheduler({
    store,
    clock,
    tiers: TIERS,
    incident: INCIDENT,
    drainPerPick: 1_000_000,
  })
  return new World(scheduler, clock, {
    tiers: TIERS,
    naive: {
      health: DEFAULT_HEALTH_POLICY,
      incident: INCIDENT,
      breaker: DEFAULT_BREAKER_POLICY,
      probeShare: 0.1,
    },
  })
}

function scripts(durability: 'sync' | 'batched') {
  return fc.property(fleetArbitrary(14), scriptArbitrary(POOLS, LENGTH), (fleet, script) => {
    const world = openWorld(durability)
    try {
      if (fleet.length > 0) world.upsert(fleet)
      runScript(world, script)
      commands += script.length
    } finally {
      stores.endFresh()
    }
  })
}

describe('a scheduler on the sqlite store', () => {
  test(
    'deterministic: every line of a script gives what the naive model gives',
    () => check(scripts('sync'), RUNS),
    TIMEOUT_MS,
  )

  test(
    'deterministic: so it does where decisions share transactions',
    () => check(scripts('batched'), RUNS),
    TIMEOUT_MS,
  )
})

afterAll(() => {
  console.info(`stores/sqlite/model: ${commands} commands`)
  if (!nightly && !replaying) expect(commands).toBeGreaterThan(RUNS * LENGTH * 0.5)
})
