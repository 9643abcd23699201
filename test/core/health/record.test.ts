import { describe, expect, it } from 'vitest'
import type { PairRecord } from '../../../packages/core/src/health/record.ts'
import { isPickable, join, stateAt } from '../../../packages/core/src/health/record.ts'

const T = 1_200_000_000

const record: PairRecord = {
  health: 'limited',
  rung: 1,
  untilMs: T,
  epoch: 1,
  strikes: 1,
  strikeAtMs: T - 30_000,
  okStreak: 0,
  limitedStreak: 0,
  reason: 'challenged',
  forgetAtMs: T + 3_600_000,
}
const grave: PairRecord = { ...record, health: 'unavailable', reason: 'blocked' }
const probe = { leaseId: 'p', deadlineMs: T + 100 }

describe('stateAt', () => {
  it('is available where nothing is known', () => {
    expect(stateAt(null, T)).toEqual({ health: 'available' })
    expect(stateAt(grave, grave.forgetAtMs)).toEqual({ health: 'available' })
  })

  it('is limited before untilMs, available from then on', () => {
    const limited = { health: 'limited', untilMs: T, reason: 'challenged' }
    expect(stateAt(record, T - 1)).toEqual(limited)
    expect(stateAt(record, T)).toEqual({ health: 'available' })
  })

  it('is unavailable: excluded before untilMs, then on probation, probing while a probe is on its way', () => {
    const phases = [T - 1, T, T + 99, T + 100].map((nowMs) => {
      const state = stateAt({ ...grave, probe }, nowMs)
      return state.health === 'unavailable'
        ? [state.phase, state.untilMs, isPickable(state)]
        : state
    })
    expect(phases).toEqual([
      ['excluded', T + 100, false],
      ['probing', T + 100, false],
      ['probing', T + 100, false],
      ['probation', T, true],
    ])
    expect(stateAt(grave, T - 1)).toMatchObject({ phase: 'excluded', untilMs: T })
    expect(stateAt(grave, T)).toMatchObject({ phase: 'probation' })
  })

  it('is excluded by hand before manual.untilMs, whatever reports say', () => {
    const byHand = { ...record, manual: { untilMs: T + 50 } }
    expect(stateAt(byHand, T + 49)).toEqual({
      health: 'unavailable',
      phase: 'excluded',
      untilMs: T + 50,
      reason: 'manual',
    })
    expect(stateAt(byHand, T + 50)).toEqual({ health: 'available' })
  })
})

describe('join', () => {
  it('takes the higher epoch whole', () => {
    const later: PairRecord = { ...record, epoch: 2, strikes: 0, health: 'available', untilMs: 0 }
    expect(join(grave, later)).toBe(later)
    expect(join(later, null)).toBe(later)
    expect(join(null, null)).toBeNull()
  })

  it('takes the larger of each field of equal epochs', () => {
    const other: PairRecord = { ...grave, untilMs: T - 5, strikes: 3, manual: { untilMs: T } }
    const first = { ...record, probe, manual: { untilMs: T + 9 } }
    expect(join(first, { ...other, probe: { ...probe, leaseId: 'q' } })).toEqual({
      ...grave,
      strikes: 3,
      probe: { leaseId: 'q', deadlineMs: T + 100 },
      manual: { untilMs: T + 9 },
    })
  })
})
