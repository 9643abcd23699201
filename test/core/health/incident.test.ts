import { describe, expect, it } from 'vitest'
import type { OutcomeKind } from '../../../packages/core/src/health/record.ts'
import {
  DEFAULT_INCIDENT_POLICY,
  incidentAt,
  observe,
} from '../../../packages/core/src/health/incident.ts'
import type { Watch } from '../../../packages/core/src/health/incident.ts'

const T = 1_200_000_000
const HOUR = 3_600_000

/** A domain's counters, with dispatches counted as a store counts them. */
class Watched {
  watch: Watch | null = null
  dispatched = 0

  tell(
    outcome: OutcomeKind,
    exit: string,
    nowMs: number,
    { fresh = false, inFlight = 0, exits = 100 } = {},
  ) {
    this.dispatched++
    const { dispatched } = this
    const event = { outcome, exit, newlyExcluded: fresh, dispatched, inFlight }
    this.watch = observe(this.watch, event, nowMs, DEFAULT_INCIDENT_POLICY, exits)
    return incidentAt(this.watch, nowMs)
  }
}

describe('observe', () => {
  it('opens when more exits than allowed are newly excluded in a minute', () => {
    const domain = new Watched()
    for (let i = 0; i < 10; i++) {
      expect(domain.tell('rate_limited', `x${i}`, T + i, { fresh: true })).toBeNull()
    }
    const opened = domain.tell('rate_limited', 'x10', T + 10, { fresh: true })
    expect(opened).toMatchObject({ openedAtMs: T + 10, cause: 'exclusions' })
  })

  it('takes a share of the exits where that is more', () => {
    const domain = new Watched()
    const exits = 1_000
    for (let i = 0; i < 50; i++) {
      expect(domain.tell('rate_limited', `x${i}`, T, { fresh: true, exits })).toBeNull()
    }
    expect(domain.tell('rate_limited', 'last', T, { fresh: true, exits })).not.toBeNull()
  })

  it('forgets exclusions after a minute, by buckets of 5 s', () => {
    const domain = new Watched()
    for (let i = 0; i < 10; i++) domain.tell('rate_limited', `x${i}`, T + 4_999, { fresh: true })
    expect(domain.tell('rate_limited', 'y', T + 60_000, { fresh: true })).toBeNull()
    const kept = new Watched()
    for (let i = 0; i < 10; i++) kept.tell('rate_limited', `x${i}`, T, { fresh: true })
    expect(kept.tell('rate_limited', 'y', T + 59_999, { fresh: true })).not.toBeNull()
  })

  it('opens when distinct exits fail with no ok in between', () => {
    const domain = new Watched()
    for (const exit of ['a', 'b', 'a', 'c', 'b', 'd']) {
      expect(domain.tell('target_error', exit, T)).toBeNull()
    }
    expect(domain.tell('target_error', 'e', T)).toMatchObject({ cause: 'failures' })
  })

  it('counts failures anew after an ok', () => {
    const domain = new Watched()
    for (const exit of ['a', 'b', 'c', 'd']) domain.tell('target_error', exit, T)
    domain.tell('ok', 'e', T)
    expect(domain.watch).toBeNull()
    for (const exit of ['a', 'b', 'c', 'd']) expect(domain.tell('blocked', exit, T)).toBeNull()
    expect(domain.tell('challenged', 'e', T)).not.toBeNull()
  })

  it('wants a share of the tried, those on their way at the first failure included', () => {
    const domain = new Watched()
    const inFlight = 39
    for (let i = 0; i < 11; i++) {
      // Dispatches that were on their way: they do not count again.
      domain.dispatched--
      if (i === 0) domain.dispatched += 40
      expect(domain.tell('target_error', `x${i}`, T, { inFlight })).toBeNull()
    }
    domain.dispatched--
    expect(domain.tell('target_error', 'x11', T, { inFlight })).not.toBeNull()
  })

  it('is open to an incident from 1,024 failing exits, however many were tried', () => {
    const domain = new Watched()
    const told = { inFlight: 1_000_000, exits: 10_000_000 }
    for (let i = 0; i < 1_023; i++) expect(domain.tell('target_error', `x${i}`, T, told)).toBeNull()
    expect(domain.tell('target_error', 'last', T, told)).not.toBeNull()
  })

  it('ends with the first ok, and forgets all counts', () => {
    const domain = new Watched()
    for (let i = 0; i < 20; i++) domain.tell('blocked', `x${i}`, T, { fresh: true })
    expect(incidentAt(domain.watch, T)).not.toBeNull()
    expect(domain.tell('neutral', 'a', T)).not.toBeNull()
    expect(domain.tell('agent_error', 'a', T)).not.toBeNull()
    expect(domain.tell('ok', 'a', T)).toBeNull()
    expect(domain.watch).toBeNull()
  })

  it('ends after an hour without trouble', () => {
    const domain = new Watched()
    for (let i = 0; i < 5; i++) domain.tell('blocked', `x${i}`, T)
    expect(incidentAt(domain.watch, T + HOUR - 1)).not.toBeNull()
    expect(incidentAt(domain.watch, T + HOUR)).toBeNull()
    domain.tell('rate_limited', 'z', T + HOUR - 1)
    expect(incidentAt(domain.watch, T + HOUR)).not.toBeNull()
  })

  it('gives the same object where nothing changed', () => {
    const domain = new Watched()
    expect(domain.tell('ok', 'a', T)).toBeNull()
    domain.tell('rate_limited', 'a', T, { fresh: true })
    const { watch } = domain
    domain.tell('ok', 'a', T)
    domain.tell('neutral', 'a', T)
    domain.tell('rate_limited', 'a', T)
    expect(domain.watch).toBe(watch)
  })
})
