import type { Change, PairRecord, Store } from '@ostler/core'
import { expectKind, holds, same } from './assert.ts'
import { block, BREAKER, candidate, lease, MINUTE, settle, T, wanting } from './fixtures.ts'
import type { ContractCase } from './runner.ts'

const a = candidate('a')
const AFTER = T + 6 * MINUTE

async function isGiven(store: Store, nowMs: number, overrides = {}, who = a): Promise<string> {
  const id = `${JSON.stringify(overrides)} ${nowMs} ${who.agentId}`
  const answer = await store.acquire(wanting([who], id, { nowMs, ...overrides }))
  if (answer.kind === 'refused') return 'refused'
  return answer.probe ? 'probe' : 'given'
}

/** `settle`: what outcomes do to a pair. `exclude`, `restore`, `exclusions`. */
export const exclusionCases: readonly ContractCase[] = [
  {
    name: 'settle: a block excludes the pair from then on, and answers with its record',
    async run(store) {
      const { kind, record, changes } = await block(store)
      same(
        [kind, record?.health, record?.untilMs],
        ['applied', 'unavailable', T + 300_000],
        'record',
      )
      same([record?.epoch, record?.strikes, record?.reason], [1, 1, 'blocked'], 'record')
      const told = changes.changes.find((change: Change) => change.exit === 'a')
      same(told?.record, record, 'the change')
      same(await isGiven(store, T), 'refused', 'at once')
      same(await isGiven(store, T + 299_999), 'refused', '1 ms before untilMs')
      same(await isGiven(store, T + 300_000), 'probe', 'at untilMs')
    },
  },
  {
    name: 'settle: a challenge excludes for the first rung, and ends by itself',
    async run(store) {
      const told = await lease(store, wanting([a], 'l'))
      await settle(store, told, { kind: 'challenged' })
      const around = [await isGiven(store, T + 29_999), await isGiven(store, T + 30_000)]
      same(around, ['refused', 'given'], 'before and at its end')
    },
  },
  {
    name: 'settle: a rate limit excludes for what the target asked, no strike',
    async run(store) {
      const told = await lease(store, wanting([a], 'l'))
      const outcome = { kind: 'rate_limited', retryAfterMs: 90_000 } as const
      const { record } = await settle(store, told, outcome)
      same([record?.strikes, record?.untilMs], [0, T + 90_000], 'strikes, untilMs')
    },
  },
  {
    name: 'settle: shares an exclusion among agents of one exit, not with another domain or exit',
    async run(store) {
      const one = candidate('one', 'shared')
      const told = await lease(store, wanting([one], 'l'))
      await settle(store, told, { kind: 'blocked' })
      const two = await isGiven(store, T, {}, candidate('two', 'shared'))
      const elsewhere = await isGiven(store, T, { domain: 'other' }, one)
      same([two, elsewhere, await isGiven(store, T)], ['refused', 'given', 'given'], 'given')
    },
  },
  {
    name: 'settle: n leases of one epoch, all blocked, add one strike',
    async run(store) {
      const told = []
      for (let i = 0; i < 5; i++) told.push(await lease(store, wanting([a], `l${i}`)))
      const kinds: string[] = []
      let strikes: number | undefined
      for (const one of told) {
        const settled = await settle(store, one, { kind: 'blocked' })
        kinds.push(settled.kind)
        strikes = settled.record?.strikes
      }
      same(kinds, ['applied', 'stale', 'stale', 'stale', 'stale'], 'reports')
      same(strikes, 1, 'strikes')
    },
  },
  {
    name: 'settle: an ok of an older epoch lifts nothing',
    async run(store) {
      const old = await lease(store, wanting([a], 'old'))
      await block(store)
      const { kind } = await settle(store, old, { kind: 'ok' }, T + 1)
      same([kind, await isGiven(store, T + 1)], ['stale', 'refused'], 'report, given')
    },
  },
  {
    name: 'settle: the ok of a probe brings the pair back',
    async run(store) {
      await block(store)
      const probe = await lease(store, wanting([a], 'probe', { nowMs: AFTER }))
      const { record } = await settle(store, probe, { kind: 'ok' }, AFTER)
      same(record?.health, 'available', 'health')
      same(await isGiven(store, AFTER), 'given', 'at once')
    },
  },
  {
    name: 'settle: a blocked probe climbs to the next rung',
    async run(store) {
      await block(store)
      const probe = await lease(store, wanting([a], 'probe', { nowMs: AFTER }))
      const { record } = await settle(store, probe, { kind: 'blocked' }, AFTER)
      const known = [record?.rung, record?.strikes, record?.untilMs]
      same(known, [4, 2, AFTER + 1_200_000], 'rung, strikes, untilMs')
    },
  },
  {
    name: 'settle: a neutral probe leaves the pair on probation, no strike',
    async run(store) {
      await block(store)
      const probe = await lease(store, wanting([a], 'probe', { nowMs: AFTER }))
      const { record } = await settle(store, probe, { kind: 'neutral' }, AFTER)
      same([record?.strikes, await isGiven(store, AFTER)], [1, 'probe'], 'strikes, given')
    },
  },
  {
    name: "settle: agent errors in a row rest the agent, and say so in the fleet's changes",
    async run(store) {
      await store.putAgents([{ id: 'a' }])
      const { version } = await store.agents(0)
      let rest
      for (let i = 0; i < BREAKER.threshold; i++) {
        const told = await lease(store, wanting([a], `l${i}`))
        rest = (await settle(store, told, { kind: 'agent_error' })).breaker
      }
      same(rest, { failures: 3, downUntilMs: T + 10_000 }, 'breaker')
      const { changes } = await store.agents(version)
      const told = changes.filter((change) => change.kind === 'breaker').at(-1)
      same(told, { kind: 'breaker', id: 'a', breaker: rest }, 'the change')
    },
  },
  {
    name: 'settle: failures of many exits open an incident, exclusions are then limited, an ok ends it',
    async run(store) {
      const fail = async (i: number) => {
        const told = await lease(store, wanting([candidate(`x${i}`)], `f${i}`))
        return settle(store, told, { kind: 'target_error' })
      }
      same((await fail(0)).changes.incident, null, 'incident after one failure')
      for (let i = 1; i < 30; i++) await fail(i)
      const { incident } = await store.exclusions('d', 0, T)
      holds(incident !== null, 'an open incident after 30 failing exits')
      same((await block(store)).record?.health, 'limited', 'health after a block')
      const told = await lease(store, wanting([candidate('fine')], 'fine'))
      same((await settle(store, told, { kind: 'ok' })).changes.incident, null, 'after an ok')
    },
  },
  {
    name: 'exclude: keeps a pair from use until untilMs, and no report lifts it',
    async run(store) {
      const told = await lease(store, wanting([a], 'l'))
      await store.exclude('a', 'd', T + 5_000, T)
      same((await settle(store, told, { kind: 'ok' }, T + 1)).kind, 'stale', 'an older report')
      const around = [await isGiven(store, T + 4_999), await isGiven(store, T + 5_000)]
      same(around, ['refused', 'given'], 'before and at its end')
      same(await isGiven(store, T, { domain: 'other' }), 'given', 'another domain')
    },
  },
  {
    name: "exclude: tells of an exit's rest in the fleet's changes, and of its end",
    async run(store) {
      await store.putAgents([{ id: 'a' }])
      const { version } = await store.agents(0)
      await store.exclude('a', '*', T + 5_000, T)
      const rested = await store.agents(version)
      same(rested.changes, [{ kind: 'exit', exit: 'a', untilMs: T + 5_000 }], 'the rest')
      await store.restore('a', '*', T + 1)
      const restored = await store.agents(rested.version)
      same(restored.changes, [{ kind: 'exit', exit: 'a', untilMs: 0 }], 'its end')
    },
  },
  {
    name: 'restore: clears the pair at once, strikes and all',
    async run(store) {
      await block(store)
      await store.restore('a', 'd', T + 1)
      same(await isGiven(store, T + 1), 'given', 'at once')
      const { record } = await block(store, T + 2, 'again')
      same(record?.strikes, 1, 'strikes after the next block')
    },
  },
  {
    name: 'restore: fences off the reports of older leases',
    async run(store) {
      const old = await lease(store, wanting([a], 'old'))
      await store.restore('a', 'd', T)
      const { kind } = await settle(store, old, { kind: 'blocked' }, T + 1)
      same([kind, await isGiven(store, T + 1)], ['stale', 'given'], 'report, given')
    },
  },
  {
    name: 'exclusions: gives everything since 0, and what changed since a version',
    async run(store) {
      await block(store)
      const all = await store.exclusions('d', 0, T)
      same(
        all.changes.map((change) => change.exit),
        ['a'],
        'exits since 0',
      )
      await store.exclude('b', 'd', T + 5_000, T)
      const newer = await store.exclusions('d', all.version, T)
      same([newer.reset, newer.changes.map((change) => change.exit)], [false, ['b']], 'since then')
      holds(newer.version > all.version, 'a higher version')
    },
  },
  {
    name: 'exclusions: is empty, at the same version, where nothing changed',
    async run(store) {
      await block(store)
      const { version } = await store.exclusions('d', 0, T)
      const again = await store.exclusions('d', version, T)
      same([again.version, again.reset, again.changes], [version, false, []], 'changes')
      same((await store.exclusions('quiet', 0, T)).changes, [], 'a quiet domain')
    },
  },
  {
    name: 'acquire: brings what changed since viewVersion, given or refused',
    async run(store) {
      await block(store)
      const refused = expectKind(await store.acquire(wanting([a], 'l1')), 'refused')
      same(
        refused.changes.changes.map((change) => change.exit),
        ['a'],
        'with a refusal',
      )
      const viewVersion = refused.changes.version
      const given = await store.acquire(wanting([candidate('b')], 'l2', { viewVersion }))
      same(expectKind(given, 'acquired').changes.changes, [], 'nothing more')
    },
  },
  {
    name: 'merge: takes in a record that the store does not know',
    async run(store) {
      const record = (await block(store)).record as PairRecord
      await store.merge('other', [{ exit: 'a', record }], T)
      const { changes } = await store.exclusions('other', 0, T)
      same(changes, [{ exit: 'a', record }], 'changes of the domain')
      same(await isGiven(store, T, { domain: 'other' }), 'refused', 'at once')
    },
  },
  {
    name: 'merge: joins by maximum; the higher epoch wins whole',
    async run(store) {
      const older = (await block(store)).record as PairRecord
      await store.exclude('a', 'd', T + 5_000, T)
      await store.merge('d', [{ exit: 'a', record: older }], T)
      const raised = { ...older, epoch: 9, untilMs: T + 400_000 }
      same(recordOf(await store.exclusions('d', 0, T))?.epoch, 2, 'epoch, after an older one')
      await store.merge('d', [{ exit: 'a', record: raised }], T)
      same(recordOf(await store.exclusions('d', 0, T)), raised, 'record, after a newer one')
    },
  },
  {
    name: 'merge: repeated, or of what says nothing, is no change',
    async run(store) {
      const record = (await block(store)).record as PairRecord
      const { version } = await store.exclusions('d', 0, T)
      const past = { ...record, epoch: 9, forgetAtMs: T }
      await store.merge(
        'd',
        [
          { exit: 'a', record },
          { exit: 'b', record: past },
          { exit: 'c', record: null },
        ],
        T,
      )
      const again = await store.exclusions('d', version, T)
      same([again.version, again.changes], [version, []], 'changes')
    },
  },
]

function recordOf(answer: { readonly changes: readonly Change[] }): PairRecord | null | undefined {
  return answer.changes.find(({ exit }) => exit === 'a')?.record
}
