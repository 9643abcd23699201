import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { check } from './checker.ts'
import { readLogs, type Call, type Event, type EventOf } from './events.ts'
import type { World } from './world.ts'

/** The clocks of these logs: `us` is 1,000 times `ms`, less what the wall clock began with. */
const START_MS = 1_800_000_000_000

const WORLD: World = {
  tiers: {
    exact: { policies: [{ name: 'exact', limit: 3, windowMs: 100 }] },
    smooth: { policies: [{ name: 'smooth', limit: 10, windowMs: 100, smooth: { burst: 2 } }] },
    held: { policies: [], permits: 2 },
  },
  callers: [],
  agents: [
    { id: 'a', exitIp: 'x', maxConcurrency: 2 },
    { id: 'b', exitIp: 'x', maxConcurrency: 2 },
  ],
  domains: ['d'],
  wanted: [],
  health: {},
  incident: {},
  leaseMs: 1_000,
}

let ops = 0

/** A call from one ms to another, counted from the start of the log. */
function during(fromMs: number, toMs: number): Call {
  return {
    worker: 'w0',
    op: ++ops,
    startUs: fromMs * 1_000,
    startMs: START_MS + fromMs,
    endUs: toMs * 1_000,
    endMs: START_MS + toMs,
  }
}

type Asked<K extends Event['kind']> = Partial<EventOf<K>>

function admit(fromMs: number, atMs: number, more: Asked<'admit'> = {}): Event {
  const answer = { allowed: true, atMs: START_MS + atMs, degraded: false }
  const asked = { key: 'k', tier: 'exact', cost: 1, answer }
  return { kind: 'admit', ...during(fromMs, atMs + 1), ...asked, ...more }
}

/** A permit that is held to `deadlineMs`. */
function hold(permit: string, fromMs: number, toMs: number, deadlineMs: number): Event {
  const atMs = START_MS + fromMs
  const answer = { allowed: true, atMs, degraded: false, permit, deadlineMs: START_MS + deadlineMs }
  return { kind: 'admit', ...during(fromMs, toMs), key: 'k', tier: 'held', cost: 1, answer }
}

interface Lease {
  readonly id: string
  readonly agentId?: string
  readonly epoch?: number
  readonly deadlineMs?: number
  readonly probe?: boolean
}

function pick(fromMs: number, toMs: number, lease: Lease): Event {
  const { id, agentId = 'a', epoch = 0, deadlineMs = 1_000, probe = false } = lease
  const ends = START_MS + deadlineMs
  const answer = { kind: 'picked', id, agentId, exit: 'x', epoch, deadlineMs: ends, probe } as const
  return { kind: 'pick', ...during(fromMs, toMs), domain: 'd', answer }
}

/** A report that is told of an exclusion to `untilMs` (none where it is 0). */
function report(fromMs: number, toMs: number, lease: Lease, untilMs: number, epoch = 1): Event {
  const { id, epoch: own = 0, probe = false } = lease
  const health = untilMs === 0 ? 'available' : 'limited'
  const record = { health, untilMs: START_MS + untilMs, epoch, strikes: 1 } as const
  const answer = { kind: 'applied', changed: true, record } as const
  const asked = { lease: id, exit: 'x', domain: 'd', epoch: own, probe, outcome: 'blocked', answer }
  return { kind: 'report', ...during(fromMs, toMs), ...asked }
}

function answered(event: Event, kind: 'applied' | 'stale', changed: boolean): Event {
  if (event.kind !== 'report' || event.answer === undefined) throw new Error('not a report')
  return { ...event, answer: { ...event.answer, kind, changed } }
}

function byHand(kind: 'exclude' | 'restore', fromMs: number, toMs: number, untilMs = 0): Event {
  const asked = { exit: 'x', domain: 'd', answer: true as const }
  if (kind === 'restore') return { kind, ...during(fromMs, toMs), ...asked }
  return { kind, ...during(fromMs, toMs), ...asked, untilMs: START_MS + untilMs }
}

/** The same call, whose worker was killed before it saw the end. */
function unfinished(event: Event): Event {
  const { answer: _, ...asked } = event
  return { ...asked, endUs: Infinity, endMs: Infinity } as Event
}

function lawsBroken(...events: readonly Event[]): string[] {
  const sorted = [...events].sort((a, b) => a.startUs - b.startUs)
  return [...new Set(check(sorted, WORLD).map(({ law }) => law))]
}

describe('limit-safety', () => {
  const three = [admit(0, 10), admit(0, 20), admit(0, 109)]

  test('finds the call that is one too many for a window, wherever it begins', () => {
    expect(lawsBroken(...three)).toEqual([])
    expect(lawsBroken(...three, admit(0, 109))).toEqual(['limit-safety'])
    expect(lawsBroken(...three, admit(0, 30, { cost: 2 }))).toEqual(['limit-safety'])
  })

  test('has nothing against what lies a window apart, nor against another key', () => {
    expect(lawsBroken(...three, admit(0, 110))).toEqual([])
    expect(lawsBroken(...three, admit(0, 109, { key: 'other' }))).toEqual([])
  })

  test('counts denied and local decisions for nothing', () => {
    const [atMs, degraded] = [START_MS + 30, true]
    const denied = admit(0, 30, { answer: { allowed: false, atMs, degraded: false } })
    const local = admit(0, 30, { answer: { allowed: true, atMs, degraded } })
    expect(lawsBroken(...three, denied, local)).toEqual([])
  })

  test('finds what overflows a burst that drains', () => {
    const smooth = (atMs: number): Event => admit(0, atMs, { tier: 'smooth' })
    expect(lawsBroken(smooth(1), smooth(1), smooth(11), smooth(21))).toEqual([])
    expect(lawsBroken(smooth(1), smooth(1), smooth(10))).toEqual(['limit-safety'])
  })

  test('asks that a decision lie within its call', () => {
    expect(lawsBroken(admit(50, 20))).toEqual(['store-time'])
    expect(lawsBroken({ ...admit(0, 20), endMs: START_MS + 10 })).toEqual(['store-time'])
  })
})

test('idempotent-op: an operation within the window is admitted at one instant', () => {
  const opId = 'op-1'
  const repeated = [10, 10, 10, 10, 10].map((atMs) => admit(0, atMs, { opId }))
  expect(lawsBroken(...repeated)).toEqual([])
  expect(lawsBroken(admit(0, 10, { opId }), admit(0, 109, { opId }))).toEqual(['idempotent-op'])
  expect(lawsBroken(admit(0, 10, { opId }), admit(0, 110, { opId }))).toEqual([])
})

describe('permit-bound', () => {
  const two = [hold('p1', 0, 1, 500), hold('p2', 2, 3, 300)]
  const third = hold('p3', 100, 101, 500)
  const asked = { key: 'k', permit: 'p1' }

  test('finds a permit that was given while as many as the cap were held', () => {
    expect(lawsBroken(...two)).toEqual([])
    expect(lawsBroken(...two, third)).toEqual(['permit-bound'])
    expect(lawsBroken(...two, hold('p3', 299, 300, 500))).toEqual(['permit-bound'])
    expect(lawsBroken(...two, hold('p3', 300, 301, 500))).toEqual([])
  })

  test('counts none that was perhaps given back: from the beginning of its release on', () => {
    const released: Event = { kind: 'release', ...during(50, 60), ...asked, answer: true }
    const late: Event = { ...released, ...during(102, 110) }
    expect(lawsBroken(...two, third, released)).toEqual([])
    expect(lawsBroken(...two, third, unfinished({ ...released, ...during(101, 110) }))).toEqual([])
    expect(lawsBroken(...two, third, late)).toEqual(['permit-bound'])
  })

  test('counts a renewed one to its new deadline, and one whose renewal is not certain not at all', () => {
    const answer = { deadlineMs: START_MS + 350 }
    const renewed: Event = { kind: 'renew', ...during(50, 60), key: 'k', permit: 'p2', answer }
    const late = hold('p3', 310, 311, 500)
    expect(lawsBroken(...two, late)).toEqual([])
    expect(lawsBroken(...two, late, renewed)).toEqual(['permit-bound'])
    expect(lawsBroken(...two, third, unfinished(renewed))).toEqual([])
    expect(lawsBroken(...two, third, { ...renewed, answer: null })).toEqual([])
  })

  test('counts none whose own call was still under way', () => {
    const [first, second] = two
    expect(lawsBroken(first, { ...second, endUs: 100_500 }, third)).toEqual([])
  })
})

describe('slots', () => {
  const two = [pick(0, 1, { id: 'l1' }), pick(2, 3, { id: 'l2', deadlineMs: 300 })]
  const third = pick(100, 101, { id: 'l3' })

  test('finds a lease beyond maxConcurrency', () => {
    expect(lawsBroken(...two)).toEqual([])
    expect(lawsBroken(...two, third)).toEqual(['slots'])
    expect(lawsBroken(...two, pick(100, 101, { id: 'l3', agentId: 'b' }))).toEqual([])
  })

  test('counts none that was perhaps reported, or due', () => {
    const reported = report(50, 60, { id: 'l1' }, 0)
    expect(lawsBroken(...two, third, reported)).toEqual([])
    expect(lawsBroken(...two, third, unfinished({ ...reported, ...during(101, 102) }))).toEqual([])
    expect(lawsBroken(...two, pick(298, 299, { id: 'l3' }))).toEqual(['slots'])
    expect(lawsBroken(...two, pick(298, 300, { id: 'l3' }))).toEqual([])
  })
})

describe('probe', () => {
  const first = pick(0, 1, { id: 'l1', probe: true, deadlineMs: 300 })
  const second = pick(100, 101, { id: 'l2', probe: true, agentId: 'b' })

  test('finds a second probe of a pair, also by another agent of the exit', () => {
    expect(lawsBroken(first)).toEqual([])
    expect(lawsBroken(first, second)).toEqual(['probe'])
  })

  test('has nothing against one after the first was reported, is due, or was restored away', () => {
    expect(lawsBroken(first, second, report(50, 60, { id: 'l1' }, 0))).toEqual([])
    expect(lawsBroken(first, pick(299, 300, { id: 'l2', probe: true }))).toEqual([])
    expect(lawsBroken(first, second, byHand('restore', 50, 60))).toEqual([])
    expect(lawsBroken(first, second, byHand('restore', 150, 160))).toEqual(['probe'])
  })
})

describe('exclusion', () => {
  const told = report(0, 10, { id: 'l0' }, 500)

  test('finds an excluded exit that was given after the answer', () => {
    expect(lawsBroken(told, pick(11, 12, { id: 'l1' }))).toEqual(['exclusion'])
    expect(lawsBroken(told, pick(11, 12, { id: 'l1', agentId: 'b' }))).toEqual(['exclusion'])
    expect(lawsBroken(told, pick(11, 499, { id: 'l1', probe: true }))).toEqual(['exclusion'])
  })

  test('has nothing against a pick that began before the answer, or may have come after the end', () => {
    expect(lawsBroken(told, pick(9, 12, { id: 'l1' }))).toEqual([])
    expect(lawsBroken(told, pick(11, 500, { id: 'l1' }))).toEqual([])
    expect(lawsBroken(unfinished(told), pick(11, 12, { id: 'l1' }))).toEqual([])
  })

  test('knows that a restore lifts it, unless it was over before', () => {
    const given = pick(20, 21, { id: 'l1' })
    expect(lawsBroken(told, given, byHand('restore', 12, 13))).toEqual([])
    expect(lawsBroken(told, given, unfinished(byHand('restore', 12, 13)))).toEqual([])
    const before = [byHand('restore', -20, -10), report(0, 10, { id: 'l0' }, 500)]
    expect(lawsBroken(...before, given)).toEqual(['exclusion'])
    expect(lawsBroken(told, given, byHand('restore', 22, 23))).toEqual(['exclusion'])
  })

  test('holds for what is excluded by hand, of which the newest word counts', () => {
    const given = pick(50, 51, { id: 'l1' })
    const excluded = byHand('exclude', 0, 10, 500)
    expect(lawsBroken(excluded, given)).toEqual(['exclusion'])
    expect(lawsBroken({ ...excluded, domain: '*' } as Event, given)).toEqual(['exclusion'])
    expect(lawsBroken({ ...excluded, domain: 'other' } as Event, given)).toEqual([])
    expect(lawsBroken(excluded, byHand('exclude', 12, 13, 40), given)).toEqual([])
    expect(lawsBroken(excluded, unfinished(byHand('exclude', 12, 13, 40)), given)).toEqual([])
    expect(lawsBroken(byHand('exclude', -20, -10, 40), excluded, given)).toEqual(['exclusion'])
    expect(lawsBroken(excluded, byHand('restore', 12, 13), given)).toEqual([])
    expect(lawsBroken(unfinished(excluded), given)).toEqual([])
    expect(lawsBroken({ ...excluded, answer: false } as Event, given)).toEqual([])
    const restored = { ...byHand('restore', 12, 13), answer: false } as Event
    expect(lawsBroken(excluded, restored, given)).toEqual([])
  })
})

describe('reports', () => {
  test('fencing: a report of an epoch that is known to be over changes nothing', () => {
    const newer = report(0, 10, { id: 'l1', epoch: 4 }, 100, 5)
    const older = report(11, 12, { id: 'l2', epoch: 4 }, 200, 6)
    expect(lawsBroken(newer, older)).toEqual(['fencing'])
    expect(lawsBroken(newer, answered(older, 'stale', true))).toEqual(['fencing'])
    expect(lawsBroken(newer, answered(older, 'stale', false))).toEqual([])
    const probe = report(11, 12, { id: 'l2', epoch: 4, probe: true }, 100, 5)
    expect(lawsBroken(newer, answered(probe, 'stale', true))).toEqual([])
    expect(lawsBroken(newer, report(9, 12, { id: 'l2', epoch: 4 }, 200, 6))).toEqual([])
    expect(lawsBroken(newer, report(11, 12, { id: 'l2', epoch: 5 }, 200, 6))).toEqual([])
  })

  test('burst: no two reports enter the same epoch', () => {
    const one = report(0, 10, { id: 'l1' }, 100)
    expect(lawsBroken(one, report(1, 11, { id: 'l2' }, 100))).toEqual(['burst'])
    expect(lawsBroken(one, report(1, 11, { id: 'l2' }, 100, 2))).toEqual([])
  })

  test('idempotent-report: the same report of a lease is applied once', () => {
    const told = { ...report(0, 10, { id: 'l1' }, 0, 0), outcome: 'ok' } as EventOf<'report'>
    const again = { ...told, ...during(11, 12) }
    const stale = { ...again, answer: { kind: 'stale', changed: false, record: null } } as const
    expect(lawsBroken(told, again)).toEqual(['idempotent-report'])
    expect(lawsBroken(told, stale)).toEqual([])
  })
})

test('logs are read with the calls that nobody saw the end of, and a last line that is torn', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-logs-'))
  const lines = [
    '{"op":1,"kind":"release","key":"k","permit":"p","us":5,"ms":1}',
    '{"op":1,"us":9,"ms":2,"answer":true}',
    '{"op":2,"kind":"pick","domain":"d","us":3,"ms":1}',
    '{"op":2,"us":12,"ms":3,"ans',
  ]
  const file = join(dir, 'log')
  writeFileSync(file, lines.join('\n'))
  try {
    expect(readLogs([file])).toMatchObject([
      { worker: 'w0', op: 2, kind: 'pick', startUs: 3, endUs: Infinity },
      { worker: 'w0', op: 1, kind: 'release', startMs: 1, endUs: 9, endMs: 2, answer: true },
    ])
  } finally {
    rmSync(dir, { recursive: true })
  }
})
