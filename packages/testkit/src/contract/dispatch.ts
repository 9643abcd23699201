import { expectKind, same } from './assert.ts'
import { block, candidate, HOUR, lease, MINUTE, settle, T, wanting } from './fixtures.ts'
import type { ContractCase } from './runner.ts'

const a = candidate('a')
const b = candidate('b')
const single = candidate('a', 'a', 1)
/** Past any exclusion of a first block. */
const AFTER = T + 6 * MINUTE

/** `acquire`: who is given, and slots. `settle`: slots, repeats, lateness. */
export const dispatchCases: readonly ContractCase[] = [
  {
    name: 'acquire: gives the first candidate of a quiet domain, epoch 0, no probe',
    async run(store) {
      const { index, epoch, probe } = expectKind(
        await store.acquire(wanting([b, a], 'l')),
        'acquired',
      )
      same([index, epoch, probe], [0, 0, false], 'index, epoch, probe')
    },
  },
  {
    name: 'acquire: passes over an excluded candidate',
    async run(store) {
      await block(store)
      const { index } = expectKind(await store.acquire(wanting([a, b], 'l')), 'acquired')
      same(index, 1, 'index')
    },
  },
  {
    name: 'acquire: passes over a candidate without a free slot',
    async run(store) {
      await lease(store, wanting([single], 'l1'))
      const { index } = expectKind(await store.acquire(wanting([single, b], 'l2')), 'acquired')
      same(index, 1, 'index')
    },
  },
  {
    name: 'acquire: refuses when all are excluded or full, and says until when each is full',
    async run(store) {
      await block(store)
      const full = candidate('c', 'c', 1)
      await lease(store, wanting([full], 'l1'))
      const refused = expectKind(await store.acquire(wanting([a, full], 'l2')), 'refused')
      same(refused.busyUntilMs, [0, T + MINUTE], 'busyUntilMs')
    },
  },
  {
    name: 'acquire: takes nothing when it refuses',
    async run(store) {
      await lease(store, wanting([single], 'l1'))
      for (let i = 0; i < 3; i++) await store.acquire(wanting([single], `refused ${i}`))
      const free = await store.acquire(wanting([single], 'l2', { nowMs: T + MINUTE }))
      same(free.kind, 'acquired', 'the only slot, once it is free')
    },
  },
  {
    name: 'acquire: frees a slot at its deadline, not before',
    async run(store) {
      await lease(store, wanting([single], 'l1'))
      const early = await store.acquire(wanting([single], 'l2', { nowMs: T + MINUTE - 1 }))
      const due = await store.acquire(wanting([single], 'l3', { nowMs: T + MINUTE }))
      same([early.kind, due.kind], ['refused', 'acquired'], 'before and at the deadline')
    },
  },
  {
    name: 'acquire: counts the slots of an agent over all domains',
    async run(store) {
      await lease(store, wanting([single], 'l1'))
      const other = await store.acquire(wanting([single], 'l2', { domain: 'other' }))
      same(other.kind, 'refused', 'another domain')
    },
  },
  {
    name: 'acquire: repeats the answer of a leaseId that is held, and takes one slot',
    async run(store) {
      const two = candidate('a', 'a', 2)
      const first = expectKind(await store.acquire(wanting([two], 'l')), 'acquired')
      const again = expectKind(await store.acquire(wanting([two], 'l')), 'acquired')
      same([again.index, again.epoch], [first.index, first.epoch], 'the repeat')
      const second = await store.acquire(wanting([two], 'l2'))
      const third = await store.acquire(wanting([two], 'l3'))
      same([second.kind, third.kind], ['acquired', 'refused'], 'one slot was left')
    },
  },
  {
    name: 'acquire: gives the probe of a pair on probation to one at a time',
    async run(store) {
      await block(store)
      const nowMs = AFTER
      const first = expectKind(await store.acquire(wanting([a], 'l1', { nowMs })), 'acquired')
      const second = await store.acquire(wanting([a], 'l2', { nowMs }))
      same(
        [first.probe, first.epoch, second.kind],
        [true, 1, 'refused'],
        'probe, epoch, the second',
      )
    },
  },
  {
    name: 'acquire: gives the probe anew at the deadline of a lost one',
    async run(store) {
      await block(store)
      await lease(store, wanting([a], 'lost', { nowMs: AFTER }))
      const early = await store.acquire(wanting([a], 'l1', { nowMs: AFTER + MINUTE - 1 }))
      const due = await store.acquire(wanting([a], 'l2', { nowMs: AFTER + MINUTE }))
      same(early.kind, 'refused', 'before the deadline')
      same(expectKind(due, 'acquired').probe, true, 'a probe at the deadline')
    },
  },
  {
    name: 'settle: frees the slot at once',
    async run(store) {
      const told = await lease(store, wanting([single], 'l1'))
      const { kind } = await settle(store, told, { kind: 'neutral' })
      const next = await store.acquire(wanting([single], 'l2'))
      same([kind, next.kind], ['applied', 'acquired'], 'report, next lease')
    },
  },
  {
    name: 'settle: frees one slot for a lease told twice',
    async run(store) {
      const two = candidate('a', 'a', 2)
      const told = await lease(store, wanting([two], 'l1'))
      await lease(store, wanting([two], 'l2'))
      await settle(store, told, { kind: 'ok' })
      const { kind } = await settle(store, told, { kind: 'ok' })
      await lease(store, wanting([two], 'l3'))
      const next = await store.acquire(wanting([two], 'l4'))
      same([kind, next.kind], ['stale', 'refused'], 'the repeat, a third slot of two')
    },
  },
  {
    name: 'settle: counts a block told twice once',
    async run(store) {
      const told = await lease(store, wanting([a], 'l'))
      const first = await settle(store, told, { kind: 'blocked' })
      const second = await settle(store, told, { kind: 'blocked' }, T + 1)
      same([first.kind, second.kind], ['applied', 'stale'], 'reports')
      same([first.record?.strikes, second.record?.strikes], [1, 1], 'strikes')
    },
  },
  {
    name: 'settle: takes a block past the deadline, within an hour of the pick',
    async run(store) {
      const early = await lease(store, wanting([a], 'l1'))
      const late = await lease(store, wanting([b], 'l2'))
      const told = await settle(store, early, { kind: 'blocked' }, T + HOUR - 1)
      const lost = await settle(store, late, { kind: 'blocked' }, T + HOUR + 1)
      same([told.kind, lost.kind], ['applied', 'stale'], 'within and past the hour')
      const next = await store.acquire(wanting([a, b], 'l3', { nowMs: T + HOUR + 1 }))
      same(expectKind(next, 'acquired').index, 1, 'the one that is not excluded')
    },
  },
  {
    name: 'settle: takes nothing but blocks past the deadline',
    async run(store) {
      await block(store)
      const probe = await lease(store, wanting([a], 'probe', { nowMs: AFTER }))
      const { kind } = await settle(store, probe, { kind: 'ok' }, AFTER + MINUTE)
      const next = expectKind(
        await store.acquire(wanting([a], 'l', { nowMs: AFTER + MINUTE })),
        'acquired',
      )
      same([kind, next.probe], ['stale', true], 'the report, and a probe again')
    },
  },
]
