import { describe, expect, it } from 'vitest'
import type { Candidate, Lease } from '../../../packages/core/src/store/store.ts'
import type { OutcomeKind } from '../../../packages/core/src/health/record.ts'
import { OstlerError } from '../../../packages/core/src/errors.ts'
import { DEFAULT_BREAKER_POLICY } from '../../../packages/core/src/health/breaker.ts'
import { DEFAULT_INCIDENT_POLICY } from '../../../packages/core/src/health/incident.ts'
import { DEFAULT_HEALTH_POLICY } from '../../../packages/core/src/health/ladder.ts'
import { MemoryHealth } from '../../../packages/core/src/store/memory-health.ts'
import type { MemoryHealthOptions } from '../../../packages/core/src/store/memory-health.ts'

const T = 1_200_000_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const health = { ...DEFAULT_HEALTH_POLICY, jitter: 0 }

class Desk {
  readonly store: MemoryHealth
  #next = 0

  constructor(options?: MemoryHealthOptions) {
    this.store = new MemoryHealth(options)
  }

  ask(of: readonly Candidate[], nowMs = T, { domain = 'd', viewVersion = 0, id = '' } = {}) {
    const leaseId = id === '' ? `l${this.#next++}` : id
    const deadlineMs = nowMs + MINUTE
    const request = { domain, candidates: of, leaseId, deadlineMs, nowMs, viewVersion, health }
    return { leaseId, answer: this.store.acquire(request) }
  }

  lease(candidate: Candidate, nowMs = T, domain = 'd'): Lease {
    const { leaseId, answer } = this.ask([candidate], nowMs, { domain })
    if (answer.kind !== 'acquired') throw new Error(`refused at ${nowMs}`)
    const { agentId, exit } = candidate
    const { epoch, probe } = answer
    const pickedAtMs = nowMs
    return {
      id: leaseId,
      agentId,
      exit,
      domain,
      epoch,
      pickedAtMs,
      deadlineMs: nowMs + MINUTE,
      probe,
    }
  }

  tell(lease: Lease, kind: OutcomeKind, nowMs = T, viewVersion = 0) {
    return this.store.settle({
      lease,
      outcome: { kind },
      nowMs,
      viewVersion,
      health,
      incident: DEFAULT_INCIDENT_POLICY,
      breaker: DEFAULT_BREAKER_POLICY,
      exits: 100,
    })
  }

  block(exit: string, nowMs = T, domain = 'd') {
    return this.tell(this.lease(who(exit), nowMs, domain), 'blocked', nowMs)
  }
}

function who(agentId: string, exit = agentId, maxConcurrency = 100): Candidate {
  return { agentId, exit, maxConcurrency }
}

const a = who('a')

describe('MemoryHealth', () => {
  it('answers an ok that changes nothing with one shared, frozen object', () => {
    const desk = new Desk()
    const first = desk.tell(desk.lease(a), 'ok')
    const second = desk.tell(desk.lease(who('b')), 'ok')
    expect(second).toBe(first)
    expect(Object.isFrozen(first) && Object.isFrozen(first.changes)).toBe(true)
    expect(first.changes).toEqual({ version: 0, reset: false, changes: [], incident: null })
  })

  it('answers no change while a domain stays as the caller knows it', () => {
    const desk = new Desk()
    const { version } = desk.block('a').changes
    const none = { version, reset: false, changes: [], incident: null }
    expect(desk.store.exclusions('d', version, T)).toEqual(none)
    expect(desk.ask([a], T, { viewVersion: version }).answer.changes).toEqual(none)
  })

  it('tells the caller of its own report', () => {
    const desk = new Desk()
    const { version } = desk.block('a').changes
    const told = desk.tell(desk.lease(who('b')), 'blocked', T, version)
    expect(told.changes.changes.map((change) => change.exit)).toEqual(['b'])
    expect(told.changes.changes[0].record).toEqual(told.record)
  })

  it('tells a caller who is behind all that it has missed beside its own report', () => {
    const desk = new Desk()
    const { version } = desk.block('a').changes
    desk.block('b')
    const told = desk.tell(desk.lease(who('c')), 'blocked', T, version)
    expect(told.changes.changes.map((change) => change.exit)).toEqual(['b', 'c'])
  })

  it('starts a view anew that knows a version of an earlier life of the domain', () => {
    const desk = new Desk()
    const { version } = desk.block('a').changes
    const later = T + 10 * HOUR
    for (let i = 0; i < 1_030; i++) desk.block(`x${i}`, T + i, `other${i}`)
    // All is forgotten by then; in passing the records go, and with them the idle domains.
    for (let i = 0; i < 3_000; i++) desk.tell(desk.lease(a, later, `fresh${i}`), 'ok', later)
    const unknown = desk.store.exclusions('d', version, later)
    expect(unknown).toEqual({ version: 0, reset: true, changes: [], incident: null })
    desk.block('b', later)
    const anew = desk.store.exclusions('d', version, later)
    expect(anew.reset).toBe(true)
    expect(anew.version).toBeGreaterThan(version)
    expect(anew.changes.map((change) => change.exit)).toEqual(['b'])
    const ahead = desk.store.exclusions('d', anew.version + 1, later)
    expect([ahead.reset, ahead.changes.length]).toEqual([true, 1])
  })

  it('drops what is forgotten in passing, and nothing before', () => {
    const desk = new Desk()
    for (let i = 0; i < 500; i++) desk.block(`x${i}`, T, `d${i}`)
    const forgetAtMs = T + 5 * MINUTE + HOUR
    for (let i = 0; i < 500; i++) desk.store.exclusions('d', 0, forgetAtMs - 1)
    expect(desk.store.sizes().records).toBe(500)
    for (let i = 0; i < 500; i++) desk.store.exclusions('d', 0, forgetAtMs)
    expect(desk.store.sizes().records).toBe(0)
  })

  it('does not tell of what is forgotten, even before it is dropped', () => {
    const desk = new Desk()
    desk.block('a')
    const { records } = desk.store.sizes()
    const later = desk.store.exclusions('d', 0, T + 10 * HOUR)
    expect([records, later.changes]).toEqual([1, []])
    const { answer } = desk.ask([a], T + 10 * HOUR)
    expect(answer).toMatchObject({ kind: 'acquired', epoch: 0, probe: false })
  })

  it('never goes back in time', () => {
    const desk = new Desk()
    const lease = desk.lease(a, T)
    const { record } = desk.tell(lease, 'blocked', T + 1_000)
    expect(desk.ask([a], T - HOUR).answer.kind).toBe('refused')
    const again = desk.tell(desk.lease(who('b'), T), 'blocked', T - HOUR)
    expect(again.record!.untilMs).toBe(record!.untilMs)
  })

  it('refuses a report that needs room when there is none, and changes nothing', () => {
    const desk = new Desk({ maxRecords: 2 })
    desk.block('a')
    desk.block('b')
    const lease = desk.lease(who('c'))
    const sizes = desk.store.sizes()
    expect(() => desk.tell(lease, 'blocked')).toThrow(/STORE_FULL|maxRecords = 2/)
    expect(desk.store.sizes()).toEqual(sizes)
    expect(() => desk.store.exclude('d', 'd', T + 1, T)).toThrow(OstlerError)
    expect(desk.tell(lease, 'ok').kind).toBe('applied')
    expect(desk.tell(desk.lease(a, T + 5 * MINUTE), 'blocked', T + 5 * MINUTE).kind).toBe('applied')
    expect(desk.block('e', T + 5 * HOUR).kind).toBe('applied')
  })

  it('refuses a lease beyond maxLeases, and takes it once one is past its deadline', () => {
    const desk = new Desk({ maxLeases: 2 })
    desk.lease(a)
    desk.lease(a)
    expect(() => desk.lease(a)).toThrow(/maxLeases = 2/)
    expect(desk.ask([a], T + MINUTE).answer.kind).toBe('acquired')
  })

  it('keeps domains of a flood of names within bounds', () => {
    const desk = new Desk()
    for (let i = 0; i < 50_000; i++) desk.tell(desk.lease(a, T, `flood${i}`), 'ok')
    expect(desk.store.sizes().domains).toBeLessThan(3_000)
  })

  it('hears the breaker and the incident of a lease whose pair has moved on', () => {
    const desk = new Desk()
    const leases = Array.from({ length: 3 }, () => desk.lease(a))
    desk.block('a')
    const told = leases.map((lease) => desk.tell(lease, 'agent_error'))
    expect(told.map((settled) => settled.kind)).toEqual(['stale', 'stale', 'stale'])
    expect(told[2].breaker).toEqual({ failures: 3, downUntilMs: T + 10_000 })
  })

  it('tells of a breaker only when it changed', () => {
    const desk = new Desk()
    expect(desk.tell(desk.lease(a), 'agent_error').breaker).toEqual({ failures: 1, downUntilMs: 0 })
    expect(desk.tell(desk.lease(a), 'neutral').breaker).toBeNull()
    expect(desk.tell(desk.lease(a), 'ok').breaker).toEqual({ failures: 0, downUntilMs: 0 })
    expect(desk.tell(desk.lease(a), 'ok').breaker).toBeNull()
  })

  it('caps the outcome that opens an incident, and tells of it as a change', () => {
    const desk = new Desk()
    const healths: string[] = []
    let version = 0
    for (const exit of ['v', 'w', 'x', 'y', 'z']) {
      const { record, changes } = desk.block(exit)
      healths.push(record!.health)
      version = changes.version
    }
    expect(healths).toEqual([...Array.from({ length: 4 }, () => 'unavailable'), 'limited'])
    const { incident } = desk.store.exclusions('d', version, T)
    expect(incident).toEqual({ openedAtMs: T, cause: 'failures', lastEventMs: T })
    const told = desk.tell(desk.lease(a), 'ok', T, version)
    expect(told.changes.incident).toBeNull()
    expect(told.changes.version).toBeGreaterThan(version)
  })

  it('does not count leases past their deadline among those on their way, however many', () => {
    const desk = new Desk()
    for (let i = 0; i < 300; i++) desk.lease(who(`lost${i}`))
    const later = T + 2 * MINUTE
    for (const exit of ['v', 'w', 'x', 'y', 'z']) {
      desk.tell(desk.lease(who(exit), later), 'target_error', later)
    }
    expect(desk.store.exclusions('d', 0, later).incident).toMatchObject({ cause: 'failures' })
  })

  it('excludes an exit everywhere, until it ends or is restored', () => {
    const desk = new Desk()
    desk.store.exclude('a', '*', T + 5_000, T)
    for (const domain of ['d', 'e'])
      expect(desk.ask([a], T, { domain }).answer.kind).toBe('refused')
    expect(desk.ask([a], T + 5_000).answer.kind).toBe('acquired')
    desk.store.exclude('a', '*', T + HOUR, T + 5_000)
    desk.store.restore('a', '*', T + 5_000)
    expect(desk.ask([a], T + 5_000).answer.kind).toBe('acquired')
  })

  it('repeats a held leaseId, and starts anew with one past its deadline', () => {
    const desk = new Desk()
    const { answer } = desk.ask([who('x', 'x', 1), a], T, { id: 'same' })
    const { answer: again } = desk.ask([a], T + 1, { id: 'same' })
    expect([answer, again]).toMatchObject([{ index: 0 }, { index: 0 }])
    expect(desk.store.sizes().leases).toBe(1)
    desk.block('x', T + MINUTE)
    const { answer: anew } = desk.ask([who('x'), a], T + MINUTE, { id: 'same' })
    expect(anew).toMatchObject({ kind: 'acquired', index: 1 })
  })

  it('fills a fleet up to maxAgents, all or none', () => {
    const { store } = new Desk({ maxAgents: 2 })
    store.putAgents([{ id: 'a' }])
    expect(() => store.putAgents([{ id: 'b' }, { id: 'c' }])).toThrow(/maxAgents = 2.*got 3/)
    expect(store.agents(0).changes).toHaveLength(1)
    store.putAgents([{ id: 'a', city: 'Bonn' }, { id: 'b' }, { id: 'b', city: 'Ulm' }])
    expect(store.sizes().agents).toBe(2)
  })

  it('starts a view of the fleet anew that has missed removals which are forgotten', () => {
    const { store } = new Desk()
    const ids = Array.from({ length: 5_000 }, (_, i) => `a${i}`)
    store.putAgents([...ids, 'kept'].map((id) => ({ id })))
    const { version } = store.agents(0)
    store.removeAgents(ids.slice(0, 1_000))
    const near = store.agents(version)
    expect([near.reset, near.changes.length]).toEqual([false, 1_000])
    store.removeAgents(ids)
    const far = store.agents(version)
    expect(far.reset).toBe(true)
    expect(far.changes).toEqual([{ kind: 'put', agent: { id: 'kept' } }])
    expect(store.agents(far.version + 9).reset).toBe(true)
    expect(store.agents(far.version)).toBe(store.agents(far.version))
  })
})
