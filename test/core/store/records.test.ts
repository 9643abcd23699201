import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PairRecord } from '@ostler/core'
import { Domains, type Domain } from '../../../packages/core/src/store/domains.ts'
import { Records } from '../../../packages/core/src/store/records.ts'

const MINUTE = 60_000
const FORGET = 30_000_000 * MINUTE
const LONG = 2 ** 32

/** Instants that fit into 32 bits before the record is forgotten, those just beside, and those that do not. */
const instant = fc.oneof(
  fc.constantFrom(0, 1, FORGET, FORGET - LONG, FORGET - LONG + 1, FORGET - LONG + 2, FORGET + 1),
  fc.integer({ min: FORGET - 10_000_000, max: FORGET }),
)
const record: fc.Arbitrary<PairRecord> = fc
  .record({
    health: fc.constantFrom('available' as const, 'limited' as const, 'unavailable' as const),
    rung: fc.constantFrom(0, 1, 5, 16, 31, 32, 255),
    untilMs: instant,
    epoch: fc.constantFrom(0, 1, 7, 65_535, 65_536, 2 ** 32 - 1),
    strikes: fc.constantFrom(0, 1, 128, 255),
    strikeAtMs: instant,
    okStreak: fc.constantFrom(0, 3, 15, 16, 100),
    limitedStreak: fc.constantFrom(0, 1, 200, 255),
    reason: fc.constantFrom(
      'rate_limited' as const,
      'challenged' as const,
      'blocked' as const,
      'manual' as const,
    ),
    forgetAtMs: fc.constantFrom(FORGET, FORGET + MINUTE, (2 ** 32 - 1) * MINUTE),
    manualUntilMs: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 2, arbitrary: fc.oneof(instant, fc.constant(Number.MAX_SAFE_INTEGER)) },
    ),
    probe: fc.option(fc.constant({ leaseId: 'p', deadlineMs: FORGET }), {
      freq: 4,
      nil: undefined,
    }),
  })
  .map(({ manualUntilMs, probe, ...rest }) => ({
    ...rest,
    ...(probe !== undefined && { probe }),
    ...(manualUntilMs !== undefined && { manual: { untilMs: manualUntilMs } }),
  }))

const exit = fc.constantFrom('e1', 'e2', 'e3', 'e4', 'e5')
const domain = fc.constantFrom('a', 'b')
type Step =
  | {
      readonly kind: 'write'
      readonly exit: string
      readonly domain: string
      readonly record: PairRecord
    }
  | { readonly kind: 'sweep'; readonly nowMs: number }
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(exit, domain, record)
      .map(([exit, domain, record]): Step => ({ kind: 'write', exit, domain, record })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(FORGET, FORGET + MINUTE)
      .map((nowMs): Step => ({ kind: 'sweep', nowMs })),
  },
)

/** What the packed records should equal: whole ones by name, each with the version of its last change. */
type Naive = Map<string, { readonly exit: string; record: PairRecord; version: number }>

function forget(naive: Naive, nowMs: number): void {
  for (const [exit, { record }] of naive) if (nowMs >= record.forgetAtMs) naive.delete(exit)
}

function play(steps: readonly Step[], firstVersion: number) {
  const records = new Records()
  const domains = new Domains()
  const known = new Map<string, { domain: Domain; naive: Naive }>()
  for (const name of ['a', 'b']) {
    known.set(name, { domain: domains.add(name, firstVersion, 0), naive: new Map() })
  }
  let version = firstVersion
  for (const step of steps) {
    if (step.kind === 'sweep') {
      records.sweep(1_000, step.nowMs, domains)
      for (const { naive } of known.values()) forget(naive, step.nowMs)
      continue
    }
    const { domain, naive } = known.get(step.domain)!
    const found = records.find(step.exit, domain)
    expect(found >= 0).toBe(naive.has(step.exit))
    const handle = found >= 0 ? found : records.add(step.exit, domain)
    records.write(handle, step.record, domain, ++version)
    naive.set(step.exit, { exit: step.exit, record: step.record, version })
  }
  return { records, known }
}

describe('packed records', () => {
  // A count of changes that passes 32 bits on the way as well.
  it.each([0, 2 ** 32 - 5])(
    'say what whole ones do, and in their order, from version %d on',
    (first) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 30 }), fc.nat(30), (steps, since) => {
          const { records, known } = play(steps, first)
          let size = 0
          for (const { domain, naive } of known.values()) {
            size += naive.size
            for (const { exit, record } of naive.values()) {
              expect(records.read(records.find(exit, domain))).toEqual(record)
            }
            const newest = [...naive.values()].sort((a, b) => a.version - b.version)
            const told = newest.filter(({ version }) => version > first + since)
            if (first + since === 0) continue
            expect(records.changesSince(domain, first + since, 1)).toEqual(
              told.map(({ exit, record }) => ({ exit, record })),
            )
          }
          expect(records.size).toBe(size)
        }),
        { numRuns: 300 },
      )
    },
  )

  it('give copies: neither what was written nor what is read is the record itself', () => {
    const probe = { leaseId: 'p', deadlineMs: FORGET }
    const [written] = fc.sample(record, { numRuns: 1, seed: 1 })
    const { records, known } = play(
      [{ kind: 'write', exit: 'e1', domain: 'a', record: { ...written, probe } }],
      0,
    )
    const handle = records.find('e1', known.get('a')!.domain)
    const read = records.read(handle)
    expect(read).toEqual({ ...written, probe })
    Object.assign(read, { epoch: 1_000_000 })
    expect(records.read(handle).epoch).toBe(written.epoch)
  })

  it('know no epoch of a pair any more once it is forgotten, though its record is still there', () => {
    const limited: PairRecord = {
      health: 'limited',
      rung: 1,
      untilMs: FORGET - 1,
      epoch: 7,
      strikes: 1,
      strikeAtMs: FORGET - 2,
      okStreak: 0,
      limitedStreak: 0,
      reason: 'challenged',
      forgetAtMs: FORGET,
    }
    const { records, known } = play(
      [{ kind: 'write', exit: 'e1', domain: 'a', record: limited }],
      0,
    )
    const handle = records.find('e1', known.get('a')!.domain)
    const epochs = [FORGET - 2, FORGET - 1, FORGET].map((ms) => records.clearEpoch(handle, ms))
    expect(epochs).toEqual([-1, 7, 0])
  })
})
