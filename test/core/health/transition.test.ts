import { describe, expect, it } from 'vitest'
import type { OutcomeKind, PairRecord } from '../../../packages/core/src/health/record.ts'
import { DEFAULT_HEALTH_POLICY } from '../../../packages/core/src/health/ladder.ts'
import { stateAt } from '../../../packages/core/src/health/record.ts'
import { transition } from '../../../packages/core/src/health/transition.ts'

const T = 1_200_000_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const POLICY = { ...DEFAULT_HEALTH_POLICY, jitter: 0 }

interface Told {
  readonly epoch?: number
  readonly leaseId?: string
  readonly capped?: boolean
  readonly retryAfterMs?: number
}

/** An outcome of a lease of the record's own epoch, unless told otherwise. */
function tell(record: PairRecord | null, kind: OutcomeKind, nowMs: number, told: Told = {}) {
  const { epoch = record?.epoch ?? 0, leaseId = 'l', capped = false, retryAfterMs } = told
  const outcome = { kind, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  const event = {
    kind: 'outcome',
    outcome,
    epoch,
    leaseId,
    capped,
    exit: 'x',
    domain: 'd',
  } as const
  return transition(record, event, nowMs, POLICY)
}

function probe(record: PairRecord | null, nowMs: number, leaseId = 'p', forMs = MINUTE) {
  return transition(record, { kind: 'probe', leaseId, deadlineMs: nowMs + forMs }, nowMs, POLICY)
}

describe('transition', () => {
  it('rests a record on a rung beyond the ladder for the top rung, in an incident too', () => {
    const long = tell(tell(null, 'blocked', T), 'blocked', T + HOUR)!
    const beyond = { ...long, rung: 9 }
    const nowMs = beyond.untilMs
    for (const capped of [false, true]) {
      const after = tell(beyond, 'blocked', nowMs, { capped })!
      expect(after.untilMs - nowMs).toBe(HOUR)
    }
  })

  it('climbs the ladder with each challenge, and blocks from the first unavailable rung on', () => {
    const climbs: [OutcomeKind, number, string, number][] = [
      ['challenged', 1, 'limited', 30_000],
      ['challenged', 2, 'limited', 120_000],
      ['challenged', 3, 'unavailable', 5 * MINUTE],
    ]
    let record: PairRecord | null = null
    let nowMs = T
    for (const [kind, rung, health, lastsMs] of climbs) {
      record = tell(record, kind, nowMs)
      expect(record).toMatchObject({
        rung,
        health,
        strikes: rung,
        untilMs: nowMs + lastsMs,
        epoch: rung,
      })
      nowMs = record!.untilMs
    }
    expect(tell(null, 'blocked', T)).toMatchObject({ rung: 3, strikes: 1, untilMs: T + 5 * MINUTE })
  })

  it('stays on the last rung', () => {
    let record: PairRecord | null = null
    let nowMs = T
    for (let i = 0; i < 6; i++) {
      record = tell(record, 'blocked', nowMs)
      nowMs = record!.untilMs
      record = probe(record, nowMs)
    }
    expect(record).toMatchObject({ rung: 5, strikes: 6 })
    expect(tell(record, 'blocked', nowMs, { leaseId: 'p' })!.untilMs).toBe(nowMs + HOUR)
  })

  it('adds jitter, never takes any away, the same for the same pair and epoch', () => {
    const event = {
      kind: 'outcome',
      outcome: { kind: 'blocked' },
      epoch: 0,
      leaseId: 'l',
      capped: false,
      domain: 'd',
    } as const
    const ends = Array.from({ length: 200 }, (_, i) => {
      const what = { ...event, exit: `x${i}` }
      const { untilMs } = transition(null, what, T, DEFAULT_HEALTH_POLICY)!
      expect(transition(null, what, T, DEFAULT_HEALTH_POLICY)!.untilMs).toBe(untilMs)
      return untilMs - T
    })
    expect(Math.min(...ends)).toBeGreaterThanOrEqual(5 * MINUTE)
    expect(Math.max(...ends)).toBeLessThan(6 * MINUTE)
    expect(Math.max(...ends) - Math.min(...ends)).toBeGreaterThan(50_000)
  })

  it('rate limits without a strike twice in a row, from the third on with one', () => {
    let record: PairRecord | null = null
    let nowMs = T
    const seen: unknown[] = []
    for (let i = 0; i < 4; i++) {
      record = tell(record, 'rate_limited', nowMs)
      seen.push([record!.strikes, record!.rung, record!.untilMs - nowMs, record!.health])
      nowMs = record!.untilMs
    }
    expect(seen).toEqual([
      [0, 0, 30_000, 'limited'],
      [0, 0, 30_000, 'limited'],
      [1, 1, 30_000, 'limited'],
      [2, 2, 120_000, 'limited'],
    ])
    expect(tell(record, 'rate_limited', nowMs)).toMatchObject({ rung: 2, strikes: 3 })
  })

  it('starts the row of rate limits anew after an ok, a challenge or a block, not after the others', () => {
    const rowAfter = (kind: OutcomeKind) => {
      let record = tell(null, 'rate_limited', T)
      record = tell(record, 'rate_limited', T + MINUTE)
      record = tell(record, kind, T + 2 * MINUTE)
      return tell(record, 'rate_limited', T + 20 * MINUTE)!.limitedStreak
    }
    const rows = ['ok', 'challenged', 'blocked', 'target_error', 'agent_error', 'neutral'] as const
    expect(rows.map(rowAfter)).toEqual([1, 1, 1, 3, 3, 3])
  })

  it('clamps what the target asks to a second and an hour', () => {
    const policy = { ...POLICY, rateLimitedMs: 1_000 }
    const lastsMs = (retryAfterMs: number) => {
      const outcome = { kind: 'rate_limited', retryAfterMs } as const
      const event = { kind: 'outcome', outcome, epoch: 0, leaseId: 'l', capped: false } as const
      return transition(null, { ...event, exit: 'x', domain: 'd' }, T, policy)!.untilMs - T
    }
    expect([-5, 0, 999, 1_500, HOUR, HOUR + 1, Infinity, NaN].map(lastsMs)).toEqual([
      1_000,
      1_000,
      1_000,
      1_500,
      HOUR,
      HOUR,
      HOUR,
      1_000,
    ])
  })

  it('keeps an unavailable pair on probation after its probe is rate limited, its rung as it was', () => {
    const blocked = tell(null, 'blocked', T)!
    const probing = probe(blocked, blocked.untilMs)
    const after = tell(probing, 'rate_limited', blocked.untilMs, { leaseId: 'p' })!
    expect(after).toMatchObject({ health: 'unavailable', rung: 3, strikes: 1, limitedStreak: 1 })
    expect(after.probe).toBeUndefined()
    const state = stateAt(after, after.untilMs)
    expect(state).toMatchObject({ health: 'unavailable', phase: 'probation' })
  })

  it('brings a pair back by the ok of its probe alone', () => {
    const blocked = tell(null, 'blocked', T)!
    const nowMs = blocked.untilMs
    const probing = probe(blocked, nowMs)!
    expect(tell(probing, 'ok', nowMs, { leaseId: 'another' })).toBe(probing)
    const won = tell(probing, 'ok', nowMs, { leaseId: 'p' })!
    expect(won).toMatchObject({
      health: 'available',
      untilMs: 0,
      strikes: 1,
      okStreak: 1,
      epoch: 1,
    })
    expect(won.probe).toBeUndefined()
  })

  it('takes no ok of a probe past its deadline', () => {
    const blocked = tell(null, 'blocked', T)!
    const probing = probe(blocked, blocked.untilMs)!
    const late = tell(probing, 'ok', blocked.untilMs + MINUTE, { leaseId: 'p' })
    expect(stateAt(late, blocked.untilMs + MINUTE)).toMatchObject({ phase: 'probation' })
  })

  it('gives one probe at a time, and only on probation', () => {
    const blocked = tell(null, 'blocked', T)!
    expect(probe(blocked, blocked.untilMs - 1)).toBe(blocked)
    const first = probe(blocked, blocked.untilMs, 'p1')!
    expect(probe(first, blocked.untilMs + 1, 'p2')).toBe(first)
    const second = probe(first, blocked.untilMs + MINUTE, 'p2')!
    expect(second.probe?.leaseId).toBe('p2')
  })

  it('keeps the probe of another lease when a late block comes in', () => {
    const blocked = tell(null, 'blocked', T)!
    const first = probe(blocked, blocked.untilMs, 'p1')!
    const second = probe(first, blocked.untilMs + MINUTE, 'p2', HOUR)!
    const after = tell(second, 'blocked', blocked.untilMs + MINUTE, { leaseId: 'p1' })!
    expect(after.probe?.leaseId).toBe('p2')
    expect(stateAt(after, after.untilMs)).toMatchObject({ phase: 'probing' })
    const freed = tell(after, 'neutral', after.untilMs, { leaseId: 'p2', epoch: 1 })
    expect(stateAt(freed, after.untilMs)).toMatchObject({ phase: 'probation' })
  })

  it.each(['target_error', 'agent_error', 'neutral'] as const)(
    'releases the probe after %s, without a strike',
    (kind) => {
      const blocked = tell(null, 'blocked', T)!
      const probing = probe(blocked, blocked.untilMs)
      const after = tell(probing, kind, blocked.untilMs, { leaseId: 'p' })!
      expect(after).toMatchObject({ strikes: 1, rung: 3, epoch: 1 })
      expect(stateAt(after, blocked.untilMs)).toMatchObject({ phase: 'probation' })
    },
  )

  it('forgets strikes after three oks', () => {
    let record = tell(null, 'challenged', T)
    const later = T + MINUTE
    for (const strikes of [1, 1, 0]) {
      record = tell(record, 'ok', later)
      expect(record!.strikes).toBe(strikes)
    }
    expect(record!.rung).toBe(0)
    expect(tell(record, 'ok', later)).toBe(record)
  })

  it('forgets one strike and one rung an hour', () => {
    let record: PairRecord | null = null
    let nowMs = T
    for (let i = 0; i < 4; i++) {
      record = tell(record, 'challenged', nowMs)
      nowMs = record!.untilMs
    }
    expect(record).toMatchObject({ strikes: 4, rung: 4 })
    const afterHours = (hours: number) => {
      const { strikes, rung } = tell(record, 'challenged', nowMs + hours * HOUR)!
      return [strikes, rung]
    }
    expect([0, 0.99, 1, 2.5].map(afterHours)).toEqual([
      [5, 5],
      [5, 5],
      [4, 4],
      [3, 3],
    ])
  })

  it('never shortens an exclusion that is under way', () => {
    const limited = tell(null, 'rate_limited', T, { retryAfterMs: HOUR })!
    for (const kind of ['rate_limited', 'challenged', 'blocked'] as const) {
      expect(tell(limited, kind, T + 1)!.untilMs).toBe(T + HOUR)
    }
  })

  it('does nothing at all for an older epoch, whatever the outcome', () => {
    const record = tell(tell(null, 'challenged', T), 'challenged', T + MINUTE)!
    for (const kind of ['ok', 'rate_limited', 'challenged', 'blocked', 'neutral'] as const) {
      for (const epoch of [0, 1]) expect(tell(record, kind, T + MINUTE, { epoch })).toBe(record)
    }
  })

  it('takes a block of an epoch that was forgotten, and not its ok', () => {
    const record = tell(null, 'challenged', T)!
    expect(tell(record, 'ok', T + MINUTE, { epoch: 7 })).toBe(record)
    expect(tell(record, 'blocked', T + MINUTE, { epoch: 7 })).toMatchObject({ epoch: 8 })
  })

  it('caps rungs at limited and freezes strikes in an incident', () => {
    const capped = tell(null, 'blocked', T, { capped: true })!
    expect(capped).toMatchObject({
      health: 'limited',
      strikes: 0,
      rung: 0,
      untilMs: T + 120_000,
      epoch: 1,
    })
    const challenged = tell(null, 'challenged', T, { capped: true })!
    expect(challenged).toMatchObject({ health: 'limited', strikes: 0, untilMs: T + 30_000 })
    let limited: PairRecord | null = null
    for (let i = 0; i < 5; i++)
      limited = tell(limited, 'rate_limited', T + (i * HOUR) / 4, { capped: true })
    expect(limited).toMatchObject({ strikes: 0, rung: 0, limitedStreak: 5 })
  })

  it('keeps an unavailable pair unavailable in an incident, for its own rung again', () => {
    const blocked = tell(null, 'blocked', T)!
    const nowMs = blocked.untilMs
    const after = tell(probe(blocked, nowMs), 'blocked', nowMs, { leaseId: 'p', capped: true })!
    expect(after).toMatchObject({
      health: 'unavailable',
      rung: 3,
      strikes: 1,
      untilMs: nowMs + 5 * MINUTE,
    })
  })

  it('excludes by hand over all reports, and what reports said may last longer', () => {
    const blocked = tell(null, 'blocked', T)!
    const short = transition(blocked, { kind: 'exclude', untilMs: T + 1_000 }, T, POLICY)!
    expect(stateAt(short, T)).toEqual({
      health: 'unavailable',
      phase: 'excluded',
      reason: 'manual',
      untilMs: T + 5 * MINUTE,
    })
    const long = transition(null, { kind: 'exclude', untilMs: T + HOUR }, T, POLICY)!
    expect(stateAt(long, T + HOUR - 1)).toMatchObject({ reason: 'manual', untilMs: T + HOUR })
    expect(stateAt(long, T + HOUR)).toEqual({ health: 'available' })
    expect(tell(long, 'ok', T + 1, { epoch: 0 })).toBe(long)
  })

  it('restores to available with no strikes, under a new epoch', () => {
    const blocked = tell(null, 'blocked', T)!
    const excluded = transition(blocked, { kind: 'exclude', untilMs: T + HOUR }, T, POLICY)
    const restored = transition(excluded, { kind: 'restore' }, T + 1, POLICY)!
    expect(restored).toMatchObject({
      health: 'available',
      strikes: 0,
      rung: 0,
      untilMs: 0,
      epoch: 3,
    })
    expect(restored.manual).toBeUndefined()
    expect(tell(restored, 'blocked', T + 2, { epoch: 2 })).toBe(restored)
  })

  it('forgets a record no sooner than an hour after all that it announces, its strikes decayed', () => {
    const blocked = tell(null, 'blocked', T)!
    expect(blocked.forgetAtMs).toBe(blocked.untilMs + HOUR)
    expect(stateAt(blocked, blocked.forgetAtMs - 1)).toMatchObject({ phase: 'probation' })
    expect(stateAt(blocked, blocked.forgetAtMs)).toEqual({ health: 'available' })
    const limited = tell(null, 'rate_limited', T + 1)!
    expect(limited.forgetAtMs).toBe(T + HOUR + MINUTE)
    let many = blocked
    for (let i = 0; i < 3; i++) many = tell(many, 'blocked', many.untilMs)!
    expect(many.forgetAtMs).toBe(many.untilMs + 4 * HOUR)
    expect(tell(blocked, 'blocked', blocked.forgetAtMs, { epoch: 0 })).toMatchObject({ strikes: 1 })
  })

  it('works on a ladder without limited rungs, and on one without others', () => {
    const unavailable = {
      ...POLICY,
      ladder: [{ health: 'unavailable', durationMs: 5_000 }] as const,
    }
    const limited = { ...POLICY, ladder: [{ health: 'limited', durationMs: 5_000 }] as const }
    const event = { kind: 'outcome', epoch: 0, leaseId: 'l', exit: 'x', domain: 'd' } as const
    const seen = [unavailable, limited].flatMap((policy) =>
      [false, true].map((capped) => {
        const what = { ...event, outcome: { kind: 'blocked' }, capped } as const
        const { health, rung, untilMs } = transition(null, what, T, policy)!
        return [health, rung, untilMs - T]
      }),
    )
    expect(seen).toEqual([
      ['unavailable', 1, 5_000],
      ['limited', 0, 30_000],
      ['limited', 1, 5_000],
      ['limited', 0, 5_000],
    ])
  })
})
