import { describe, expect, it } from 'vitest'
import { Domains } from '../../../packages/core/src/store/domains.ts'
import type { Domain } from '../../../packages/core/src/store/domains.ts'
import { Leases } from '../../../packages/core/src/store/leases.ts'

function setUp(): {
  leases: Leases
  domain: Domain
  take: (id: string, agent: string, atMs: number) => void
} {
  const leases = new Leases()
  const domain = new Domains().add('d', 0, 0)
  const take = (id: string, agent: string, atMs: number) => {
    expect(leases.find(id, 0)).toBe(-1)
    leases.take(id, agent, domain, atMs, 0, 0, false)
  }
  return { leases, domain, take }
}

describe('Leases', () => {
  it('knows a lease until its deadline', () => {
    const { leases, domain, take } = setUp()
    take('l', 'a', 100)
    expect([leases.find('l', 99) >= 0, domain.inFlight]).toEqual([true, 1])
    expect([leases.find('l', 100), domain.inFlight, leases.size]).toEqual([-1, 0, 0])
  })

  it('keeps what was answered', () => {
    const { leases, domain } = setUp()
    leases.find('l', 1)
    leases.take('l', 'a', domain, 100, 7, 3, true)
    leases.find('m', 1)
    leases.take('m', 'a', domain, 100, 0xffff_ffff, 15, false)
    const answers = ['l', 'm'].map((id) => {
      const slot = leases.find(id, 1)
      return [leases.epochOf(slot), leases.indexOf(slot), leases.isProbe(slot)]
    })
    expect(answers).toEqual([
      [7, 3, true],
      [0xffff_ffff, 15, false],
    ])
  })

  it('says when a full agent has a free slot again', () => {
    const { leases, take } = setUp()
    take('l1', 'a', 300)
    take('l2', 'a', 100)
    take('l3', 'a', 200)
    const busy = (most: number, nowMs = 1) => leases.busyUntilMs('a', most, nowMs)
    expect([4, 3, 2, 1].map((most) => busy(most))).toEqual([0, 100, 200, 300])
    leases.free(leases.find('l2', 1))
    expect([3, 2, 1].map((most) => busy(most))).toEqual([0, 200, 300])
    expect(busy(2, 200)).toBe(0)
    expect(leases.size).toBe(1)
    expect(leases.busyUntilMs('unknown', 1, 1)).toBe(0)
  })

  it('lets go a bounded number of those past their deadline', () => {
    const { leases, domain, take } = setUp()
    for (let i = 0; i < 100; i++) take(`l${i}`, `a${i % 7}`, 100 + i)
    leases.drain(64, 99)
    expect(leases.size).toBe(100)
    leases.drain(64, 1_000)
    expect([leases.size, domain.inFlight]).toEqual([36, 36])
    leases.drain(64, 1_000)
    expect(leases.size).toBe(0)
  })

  it('agrees with a list of leases', () => {
    const { leases, take } = setUp()
    let naive: { id: string; agent: string; atMs: number }[] = []
    let state = 42
    const next = (below: number): number => (state = Math.imul(state, 48_271) >>> 1) % below
    for (let nowMs = 1, i = 0; i < 20_000; i++, nowMs += next(3)) {
      const agent = `a${next(4)}`
      const most = 1 + next(6)
      const held = naive.filter((l) => l.agent === agent && l.atMs > nowMs).map((l) => l.atMs)
      held.sort((a, b) => a - b)
      const expected = held.length < most ? 0 : held[held.length - most]
      expect(leases.busyUntilMs(agent, most, nowMs)).toBe(expected)
      if (next(5) < 3) {
        const atMs = nowMs + 1 + next(40)
        take(`l${i}`, agent, atMs)
        naive.push({ id: `l${i}`, agent, atMs })
      } else if (naive.length > 0) {
        const [told] = naive.splice(next(naive.length), 1)
        const slot = leases.find(told.id, nowMs)
        expect(slot >= 0).toBe(told.atMs > nowMs)
        if (slot >= 0) leases.free(slot)
      }
      naive = naive.filter((l) => l.atMs > nowMs - 50)
    }
  })
})
