import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PairRecord } from '../../packages/core/src/health/record.ts'
import { OstlerError } from '../../packages/core/src/errors.ts'
import { isPickable, stateAt } from '../../packages/core/src/health/record.ts'
import { MemoryHealth } from '../../packages/core/src/store/memory-health.ts'
import { NaiveHealth } from './health-naive.ts'
import { bare, drive, excludes, follow } from './health-follow.ts'
import {
  CALM,
  DOMAINS,
  EXITS,
  policiesArbitrary,
  QUICK,
  stepsArbitrary,
  World,
} from './health-world.ts'
import { check, replaying, TIMEOUT_MS } from './replay.ts'

describe('health laws', { timeout: TIMEOUT_MS }, () => {
  it('exclusion: a reported block keeps every agent of the exit from use until its untilMs', () => {
    check(
      fc.property(policiesArbitrary, stepsArbitrary, (policies, steps) => {
        const promised = new Map<string, number>()
        drive(policies, steps, (world, step, { acquired, settled }) => {
          if (step.do === 'restore' || step.do === 'exclude') {
            const pair = `${step.exit} ${step.domain}`
            if (step.do === 'restore') promised.delete(pair)
            promised.set(`${pair} hand`, step.do === 'exclude' ? world.nowMs + step.ms : 0)
          }
          if (settled?.answer.kind === 'applied' && excludes(settled.kind)) {
            const record = settled.answer.record as PairRecord
            expect(isPickable(stateAt(record, world.nowMs))).toBe(false)
            const least = settled.kind === 'rate_limited' ? policies.health.rateLimitedMs : 2_000
            expect(record.untilMs).toBeGreaterThanOrEqual(world.nowMs + least)
            const pair = `${settled.lease.exit} ${settled.lease.domain}`
            promised.set(pair, Math.max(promised.get(pair) ?? 0, record.untilMs))
          }
          const lease = acquired?.lease
          if (lease !== undefined) {
            const pair = `${lease.exit} ${lease.domain}`
            for (const by of [pair, `${pair} hand`, `${lease.exit} * hand`]) {
              expect(world.nowMs).toBeGreaterThanOrEqual(promised.get(by) ?? 0)
            }
          }
        })
      }),
      400,
    )
  })

  it('isolation: a report changes no other domain and no other exit', () => {
    check(
      fc.property(policiesArbitrary, stepsArbitrary, (policies, steps) => {
        const world = new World(policies)
        for (const step of steps) {
          const before = world.records()
          const { settled } = world.step(step)
          if (settled === undefined) continue
          const own = `${settled.lease.exit} ${settled.lease.domain}`
          const after = world.records()
          before.delete(own)
          after.delete(own)
          expect(after).toEqual(before)
        }
      }),
      350,
    )
  })

  it('recovery: with no further event a pair is pickable from the instant its state names, not before', () => {
    check(
      fc.property(
        policiesArbitrary,
        stepsArbitrary,
        fc.constantFrom(...DOMAINS),
        (policies, steps, domain) => {
          const world = drive(policies, steps, () => {})
          for (const exit of EXITS) world.store.restore(exit, '*', world.clockMs)
          const waits = EXITS.flatMap((exit) => {
            const state = stateAt(world.record(exit, domain), world.nowMs)
            return isPickable(state) || state.health === 'available'
              ? []
              : [{ exit, atMs: state.untilMs }]
          }).sort((a, b) => a.atMs - b.atMs)
          for (const { exit, atMs } of waits) {
            const free = [{ agentId: `fresh ${exit}`, exit, maxConcurrency: 9 }]
            if (atMs - 1 > world.nowMs) {
              world.clockMs = world.nowMs = atMs - 1
              expect(world.acquire(free, domain).kind).toBe('refused')
            }
            world.clockMs = world.nowMs = Math.max(world.nowMs, atMs)
            expect(world.acquire(free, domain).kind).toBe('acquired')
          }
        },
      ),
      500,
    )
  })

  it('recovery: a lost probe never wedges a pair, and there is never a second one beside it', () => {
    check(
      fc.property(stepsArbitrary, (steps) => {
        const out = new Map<string, { readonly id: string; readonly deadlineMs: number }>()
        drive({ health: QUICK, incident: CALM }, steps, (world, step, { acquired, settled }) => {
          if (step.do === 'restore') out.delete(`${step.exit} ${step.domain}`)
          if (settled !== undefined) {
            const pair = `${settled.lease.exit} ${settled.lease.domain}`
            if (out.get(pair)?.id === settled.lease.id) out.delete(pair)
          }
          const lease = acquired?.lease
          if (lease === undefined || !lease.probe) return
          const pair = `${lease.exit} ${lease.domain}`
          expect(out.get(pair)?.deadlineMs ?? 0).toBeLessThanOrEqual(world.nowMs)
          out.set(pair, lease)
        })
      }),
      500,
    )
  })

  it('fencing: a report of an older epoch adds no strike and makes nothing more available', () => {
    check(
      fc.property(policiesArbitrary, stepsArbitrary, (policies, steps) => {
        const world = new World(policies)
        for (const step of steps) {
          const old = step.do === 'settle' ? world.leases.at(-1 - step.lease) : undefined
          const before = old === undefined ? null : world.record(old.exit, old.domain)
          const { settled } = world.step(step)
          if (old === undefined || settled === undefined) continue
          const after = world.record(old.exit, old.domain)
          if (old.epoch < (before?.epoch ?? 0)) {
            expect(settled.answer.kind).toBe('stale')
            expect(bare(after)).toEqual(bare(before))
          }
          if (after?.epoch !== before?.epoch && after !== null) {
            expect(after.epoch).toBe(Math.max(before?.epoch ?? 0, old.epoch) + 1)
            expect(excludes(settled.kind)).toBe(true)
          }
          expect(after?.strikes ?? 0).toBeLessThanOrEqual((before?.strikes ?? 0) + 1)
        }
      }),
      500,
    )
  })

  it('burst: n leases of one epoch, all blocked, add one strike and one rung', () => {
    const arbitrary = fc.tuple(
      fc.integer({ min: 2, max: 20 }),
      fc.nat(2),
      fc.infiniteStream(fc.nat()),
    )
    check(
      fc.property(
        arbitrary,
        fc.constantFrom('blocked', 'challenged'),
        ([n, rounds, order], kind) => {
          const world = new World({ health: QUICK, incident: CALM })
          const wide = [{ agentId: 'w', exit: 'x', maxConcurrency: 100 }]
          for (let i = 0; i < rounds; i++) {
            world.acquire(wide, DOMAINS[0])
            world.settle(world.leases.at(-1)!, 'challenged')
            world.move(7_000)
          }
          const before = world.record('x', DOMAINS[0])
          const leases = Array.from({ length: n }, () => {
            world.acquire(wide, DOMAINS[0])
            return world.leases.at(-1)!
          })
          for (const lease of leases.sort(() => (order.next().value! % 2) - 0.5)) {
            world.settle(lease, kind)
            world.move(order.next().value! % 100)
          }
          expect(world.record('x', DOMAINS[0])?.strikes).toBe((before?.strikes ?? 0) + 1)
          expect(world.record('x', DOMAINS[0])?.epoch).toBe((before?.epoch ?? 0) + 1)
        },
      ),
      200,
    )
  })

  it('idempotent-report: a trace in which every report is told twice ends as the trace without', () => {
    check(
      fc.property(policiesArbitrary, stepsArbitrary, (policies, steps) => {
        const once = new World(policies)
        const twice = new World(policies)
        for (const step of steps) {
          const told = once.step(step).settled
          const seen = twice.step(step).settled
          expect(seen?.answer.record).toEqual(told?.answer.record)
          if (seen !== undefined && step.do === 'settle') {
            const { kind, record, breaker } = twice.settle(seen.lease, step.kind, step.retryAfterMs)
            expect({ kind, breaker }).toEqual({ kind: 'stale', breaker: null })
            expect(record).toEqual(seen.answer.record)
          }
          expect(twice.records()).toEqual(once.records())
        }
        expect(twice.store.sizes()).toEqual(once.store.sizes())
      }),
      300,
    )
  })

  it('no-panic: in an incident nothing climbs, nothing is let off, and the first ok ends it', () => {
    check(
      fc.property(stepsArbitrary, (steps) => {
        const incident = { minExclusions: 1, exclusionShare: 0, minFailures: 2, failureShare: 0.3 }
        const world = new World({ health: QUICK, incident })
        for (const step of steps) {
          const lease = step.do === 'settle' ? world.leases.at(-1 - step.lease) : undefined
          const open = lease !== undefined && world.incident(lease.domain)
          const before = lease === undefined ? null : world.record(lease.exit, lease.domain)
          const { settled } = world.step(step)
          if (lease === undefined || settled === undefined || !open) continue
          const after = world.record(lease.exit, lease.domain)
          if (settled.kind === 'ok' && settled.open) {
            expect(world.incident(lease.domain)).toBe(false)
            continue
          }
          expect(world.incident(lease.domain)).toBe(true)
          expect(after?.strikes ?? 0).toBeLessThanOrEqual(before?.strikes ?? 0)
          expect(after?.rung ?? 0).toBeLessThanOrEqual(before?.rung ?? 0)
          if (before?.health !== 'unavailable') expect(after?.health).not.toBe('unavailable')
          if (before?.health === 'unavailable') expect(after?.health).toBe('unavailable')
          expect(after?.untilMs ?? 0).toBeGreaterThanOrEqual(before?.untilMs ?? 0)
        }
      }),
      500,
    )
  })

  it('bounded-truth: a full store keeps every live exclusion, refuses what is new, and changes nothing then', () => {
    const few = fc.integer({ min: 1, max: 4 })
    check(
      fc.property(few, stepsArbitrary, (maxRecords, steps) => {
        const world = new World({ health: QUICK, incident: CALM }, new MemoryHealth({ maxRecords }))
        let expected = world.records()
        for (const step of steps) {
          const sizes = world.store.sizes()
          try {
            world.step(step)
          } catch (error) {
            expect(error).toBeInstanceOf(OstlerError)
            expect((error as OstlerError).code).toBe('STORE_FULL')
            expect(sizes.records).toBe(maxRecords)
            expect(world.store.sizes().leases).toBe(sizes.leases)
            if (step.do === 'settle') world.open.add(world.leases.at(-1 - step.lease)!.id)
            expect(world.records()).toEqual(expected)
          }
          const now = world.records()
          for (const [pair, record] of expected) {
            if (!isPickable(stateAt(record, world.nowMs))) expect(now.has(pair)).toBe(true)
          }
          expect(world.store.sizes().records).toBeLessThanOrEqual(maxRecords)
          expected = now
        }
      }),
      500,
    )
  })

  it('twin: the packed store decides as plain loops do', () => {
    const reached = new Map<string, number>()
    const note = (what: string): unknown => reached.set(what, (reached.get(what) ?? 0) + 1)
    check(
      fc.property(policiesArbitrary, stepsArbitrary, (policies, steps) => {
        const naive = new NaiveHealth(policies, EXITS.length)
        const world = new World(policies)
        for (const step of steps) {
          const { acquired, settled } = follow(world, naive, step)
          if (acquired?.answer.kind === 'refused') note('refused')
          if (acquired?.lease?.probe === true) note('probe')
          if (settled === undefined) continue
          const { answer, kind, open, lease } = settled
          note(`${open ? 'in time' : 'late'} ${answer.kind}`)
          if (lease.probe && open) note(`probe ${kind}`)
          if (answer.changes.incident !== null) note('incident')
          if (answer.breaker !== null) note('breaker')
          if ((answer.record?.limitedStreak ?? 0) > 2) note('third rate limit')
        }
      }),
      3_000,
    )
    const inTime = ['in time applied', 'in time stale', 'late applied', 'late stale']
    const probes = ['probe', 'probe ok', 'probe blocked', 'probe neutral']
    const wanted = inTime.concat(probes, ['refused', 'incident', 'breaker', 'third rate limit'])
    if (replaying) return
    expect(wanted.filter((what) => !reached.has(what))).toEqual([])
  })
})
