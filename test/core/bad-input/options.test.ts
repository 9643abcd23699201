import { describe, expect, test } from 'vitest'
import {
  memoryStore,
  type OstlerError,
  resolvePolicy,
  Scheduler,
  type Policy,
  type Tier,
} from '@ostler/core'
import { bad, expectRefusal, refuses, thrownBy, WITH_CREDENTIALS, type Row } from './rig.ts'

type Case = readonly [string, unknown, RegExp]

const store = memoryStore()
const minute: Policy = { name: 'minute', limit: 5, windowMs: 60_000 }
const tiersOf = (tier: unknown) => ({ store, tiers: { free: tier } })

const OPTIONS: readonly Case[] = [
  ['no options', undefined, /options must be an object, got undefined/],
  ['null', null, /options must be an object, got null/],
  ['a store in place of options', store, /options has "mode", which is not a field.*: store, t/],
  ['no store', {}, /store must be a store, such as memoryStore\(\), got undefined/],
  ['null for a store', { store: null }, /store must be a store.*got null/],
  ['the store function itself', { store: memoryStore }, /store must be a store.*got a function/],
  ['a store of no mode', { store: { ...store, mode: 'fast' } }, /store must be a store/],
  ['half a store', { store: { ...store, settle: 1 } }, /store must be a store; it lacks settle/],
  ['a misspelt option', { store, leaseMS: 5 }, /has "leaseMS", which is not a.*leaseMs/],
  ['an array of tiers', { store, tiers: [] }, /tiers must be an object of tiers, got an array/],
  ['a Map of tiers', { store, tiers: new Map([['a', 1]]) }, /tiers must be an object of tiers/],
  ['null for tiers', { store, tiers: null }, /tiers must be an object of tiers, got null/],
  ['text for tiers', { store, tiers: 'free' }, /tiers must be an object of tiers, got "free"/],
  ['a tier with a bad name', { store, tiers: { 'a b': {} } }, /tiers must be named.*got "a b"/],
  ['a tier without a name', { store, tiers: { '': {} } }, /tiers must be named.*got ""/],
  ['a name of a megabyte', { store, tiers: { ['x'.repeat(1e6)]: {} } }, /named by 1 to 64/],
  ['a proxy url for a name', { store, tiers: { [WITH_CREDENTIALS]: {} } }, /named by 1 to 64/],
  [
    '1001 tiers',
    { store, tiers: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`t${i}`, {}])) },
    /tiers must hold at most 1000 tiers, got 1001/,
  ],
  ['null for a tier', tiersOf(null), /tiers\.free must be a tier \{ policies, permits\? \}.*null/],
  ['a tier without policies', tiersOf({}), /tiers\.free\.policies must be .*got undefined/],
  [
    'a hole among policies',
    tiersOf({ policies: Array(1) }),
    /policies\[0\] must be.*got undefined/,
  ],
  ['17 policies', tiersOf({ policies: Array(17).fill(minute) }), /policies must .*16.*17/],
  ['policies of one name', tiersOf({ policies: [minute, minute] }), /\[1\]\.name must differ/],
  ['a limit of NaN', tiersOf({ policies: [{ ...minute, limit: NaN }] }), /\[0\]\.limit.*got NaN/],
  ['no permits', tiersOf({ policies: [], permits: 0 }), /free\.permits .*1 to 100000, got 0/],
  ['null permits', tiersOf({ policies: [], permits: null }), /free\.permits .*got null/],
  ['a misspelt permit', tiersOf({ policies: [], permit: 5 }), /has "permit".*policies, permits/],
  ['another scope', { store, scope: 'site' }, /scope must be 'registrable' or 'host', got "site"/],
  ['null for a scope', { store, scope: null }, /scope must be.*got null/],
  ['null for health', { store, health: null }, /health must be an object, got null/],
  ['a misspelt health', { store, health: { jiter: 0 } }, /health has "jiter".*: ladder, /],
  ['a jitter of 2', { store, health: { jitter: 2 } }, /health\.jitter .*0 to 1, got 2/],
  ['no rungs', { store, health: { ladder: [] } }, /ladder must be an array of 1 to 16 rungs/],
  ['a null rung', { store, health: { ladder: [null] } }, /ladder\[0\] must be an object, got null/],
  [
    'a ladder that falls',
    {
      store,
      health: {
        ladder: [
          { health: 'limited', durationMs: 5000 },
          { health: 'limited', durationMs: 4000 },
        ],
      },
    },
    /ladder\[1\]\.durationMs must not be below the rung before, got 4000/,
  ],
  ['text for incident', { store, incident: 'x' }, /incident must be an object, got "x"/],
  ['a share of -1', { store, incident: { exclusionShare: -1 } }, /exclusionShare .*0 to 1, got -1/],
  [
    'an array for a breaker',
    { store, breaker: [] },
    /breaker must be an object, got an array of 0/,
  ],
  ['a threshold of 0', { store, breaker: { threshold: 0 } }, /breaker\.threshold .*1 to.*got 0/],
  ['leases of 999 ms', { store, leaseMs: 999 }, /leaseMs .*from 1000 to 3600000, got 999/],
  ['leases of a day', { store, leaseMs: 864e5 }, /leaseMs .*from 1000 to 3600000, got 86400000/],
  ['null for leaseMs', { store, leaseMs: null }, /leaseMs .*got null/],
  ['no views', { store, maxViews: 0 }, /maxViews .*1 to 1000000, got 0/],
  ['views without bound', { store, maxViews: Infinity }, /maxViews .*got Infinity/],
  ['nothing drained', { store, drainPerPick: 0 }, /drainPerPick .*from 1 .*got 0/],
  ['no probes', { store, probeShare: 0 }, /probeShare .*0\.01 to 1, got 0/],
  ['NaN probes', { store, probeShare: NaN }, /probeShare .*got NaN/],
  ['a bigint share', { store, probeShare: 1n }, /probeShare .*got 1n/],
  ['null for a clock', { store, clock: null }, /clock must have a method nowMs\(\), got null/],
  [
    'Date for a clock',
    { store, clock: Date },
    /clock must have a method nowMs\(\), got a function/,
  ],
  ['a seed for random', { store, random: 7 }, /random must be a function .*\[0, 1\), got 7/],
]

describe('a scheduler refuses', () => {
  refuses(
    OPTIONS.map(([name, options, says]) => ({
      name,
      call: () => new Scheduler(bad(options)),
      code: 'INVALID_OPTIONS',
      says,
    })),
  )

  test('everything that is wrong at once, each by its path', async () => {
    const error = await thrownBy(
      () =>
        new Scheduler(
          bad({
            store: null,
            tiers: { free: { policies: [{ name: '', limit: -1, windowMs: 0 }], permits: -5 } },
            scope: 1,
            health: { jitter: -1, ladder: 5 },
            breaker: { threshold: NaN },
            leaseMs: 1,
            extra: 1,
          }),
        ),
    )
    expectRefusal(error, 'INVALID_OPTIONS', /^options has "extra", which is not.*; leaseMs/)
    expect((error as OstlerError).problems.map(({ path }) => path)).toEqual([
      'options',
      'store',
      'tiers.free.policies[0].name',
      'tiers.free.policies[0].limit',
      'tiers.free.policies[0].windowMs',
      'tiers.free.permits',
      'scope',
      'health.jitter',
      'health.ladder',
      'breaker.threshold',
      'leaseMs',
    ])
  })
})

const TIERS: readonly (readonly [string, unknown, unknown, RegExp])[] = [
  ['no name', undefined, { policies: [] }, /tiers must be named.*got undefined/],
  ['null for a name', null, { policies: [] }, /tiers must be named.*got null/],
  ['a symbol for a name', Symbol('t'), { policies: [] }, /tiers must be named.*Symbol\(t\)/],
  ['a name with a space', 'a b', { policies: [] }, /1 to 64 characters of A-Z.*got "a b"/],
  ['a long name', 'x'.repeat(65), { policies: [] }, /1 to 64 characters/],
  ['no tier', 'gold', undefined, /tiers\.gold must be a tier.*got undefined/],
  ['no policies', 'gold', {}, /tiers\.gold\.policies must be/],
  ['a bad policy', 'free', { policies: [{ ...minute, windowMs: 0.5 }] }, /windowMs .*got 0\.5/],
  ['a reserved name', 'free', { policies: [{ ...minute, name: 'permits' }] }, /reserved/],
  ['null for a policy', 'free', { policies: [null] }, /policies\[0\] must be .*got null/],
  ['half a permit', 'free', { policies: [minute], permits: 0.5 }, /free\.permits .*got 0\.5/],
]

describe('setTier refuses', () => {
  refuses(
    TIERS.map(([name, tierName, tier, says]) => ({
      name,
      call: ({ scheduler }) => scheduler.setTier(bad(tierName), bad(tier)),
      code: 'INVALID_OPTIONS',
      says,
    })),
  )

  test('a tier over the thousandth, but not a change of one', async () => {
    const scheduler = new Scheduler({ store: memoryStore() })
    const tier: Tier = { policies: [] }
    for (let i = 0; i < 1000; i++) scheduler.setTier(`t${i}`, tier)
    const error = await thrownBy(() => scheduler.setTier('one-more', tier))
    expectRefusal(error, 'INVALID_OPTIONS', /at most 1000 tiers, got one more: "one-more"/)
    scheduler.setTier('t7', { policies: [minute] })
    expect(scheduler.usage('k', 't7')).toHaveLength(1)
  })
})

const STORES: readonly Case[] = [
  ['null', null, /must be an object, got null/],
  ['a number', 5, /must be an object, got 5/],
  ['a misspelt bound', { maxKey: 5 }, /options has "maxKey", which is not a field.*maxKeys/],
  ['no keys', { maxKeys: 0 }, /maxKeys .*1 to 10000000, got 0/],
  ['too many permits', { maxPermits: 1e8 }, /maxPermits .*1 to 10000000, got 100000000/],
  ['NaN operations', { maxOps: NaN }, /maxOps .*got NaN/],
  ['half a permit', { maxPermits: 1.5 }, /maxPermits .*got 1\.5/],
  ['a negative seed', { seed: -1 }, /seed .*0 to 4294967295, got -1/],
  ['text for records', { maxRecords: '9' }, /maxRecords .*got "9"/],
  ['no leases', { maxLeases: 0 }, /maxLeases .*got 0/],
  ['agents without bound', { maxAgents: Infinity }, /maxAgents .*1 to 10000000, got Infinity/],
  ['NaN records', { maxRecords: NaN }, /maxRecords .*1 to 100000000, got NaN/],
  ['half a record', { maxIdempotencyRecords: 1.5 }, /maxIdempotencyRecords .*1 to 10000000, got 1/],
  ['no idempotency', { maxIdempotencyRecords: 0 }, /maxIdempotencyRecords .*got 0/],
  ['several at once', { maxKeys: 0, maxAgents: 0 }, /maxKeys .*got 0; .*maxAgents .*got 0/],
]

describe('memoryStore refuses', () => {
  refuses(
    STORES.map(([name, options, says]) => ({
      name,
      call: () => memoryStore(bad(options)),
      code: 'INVALID_OPTIONS',
      says,
    })),
  )
})

const POLICIES: readonly Case[] = [
  ['nothing', undefined, /must be a policy object, got undefined/],
  ['null', null, /must be a policy object, got null/],
  ['a limit of NaN', { ...minute, limit: NaN }, /limit .*from 0 to 2147483647, got NaN/],
  ['a window of 0', { ...minute, windowMs: 0 }, /windowMs .*got 0/],
  ['a quantum beyond its window', { ...minute, quantumMs: 60_001 }, /quantumMs .*1 to 60000/],
  ['null for smooth', { ...minute, smooth: null }, /smooth must be an object.*got null/],
  ['no name', { ...minute, name: '' }, /^name must be 1 to 64/],
  ['a field too many', { ...minute, burst: 5 }, /^has "burst".*a policy: name, limit, windowMs/],
]

describe('resolvePolicy refuses', () => {
  refuses(
    POLICIES.map(([name, policy, says]): Row => ({
      name,
      call: () => resolvePolicy(bad(policy)),
      code: 'INVALID_POLICY',
      says,
    })),
  )
})
