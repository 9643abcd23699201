import { beforeEach, describe, expect, test } from 'vitest'
import type { Fleet } from '../../../packages/core/src/pick/fleet.ts'
import { Slots } from '../../../packages/core/src/pick/slots.ts'
import { fleetOf, put } from './rig.ts'

let fleet: Fleet
let slots: Slots
const A = 0
const B = 1

beforeEach(() => {
  fleet = fleetOf([
    { id: 'a', maxConcurrency: 2 },
    { id: 'b', maxConcurrency: 1 },
  ])
  slots = new Slots(fleet)
})

const inFlight = (): number[] => [fleet.loads.inFlight(A), fleet.loads.inFlight(B)]

describe('slots', () => {
  test('are taken by a lease until it is closed, once', () => {
    slots.open('l1', A, 100)
    slots.open('l2', A, 50)
    slots.open('l2', B, 99)
    expect([inFlight(), slots.size, [...slots.full]]).toEqual([[2, 0], 2, [A]])
    expect(slots.close('l1')).toBe(A)
    expect(slots.close('l1')).toBe(-1)
    expect(slots.close('never')).toBe(-1)
    expect([inFlight(), slots.size, [...slots.full]]).toEqual([[1, 0], 1, []])
  })

  test('that were found and have gone to another lease since are not freed for the first', () => {
    slots.open('l1', A, 50)
    const found = slots.find('l1')
    expect([slots.agentOf(found), slots.find('never')]).toEqual([A, -1])
    slots.expire(50, Infinity)
    slots.open('l2', B, 100)
    expect(slots.find('l2')).toBe(found)
    expect([slots.close('l1', found), inFlight()]).toEqual([-1, [0, 1]])
    expect([slots.close('l2', found), inFlight()]).toEqual([B, [0, 0]])
  })

  test('free themselves at the deadline of their lease, and not before', () => {
    slots.open('l1', A, 100)
    slots.open('l2', A, 50)
    slots.open('l3', B, 100)
    slots.expire(49, Infinity)
    expect(inFlight()).toEqual([2, 1])
    slots.expire(50, Infinity)
    expect(inFlight()).toEqual([1, 1])
    slots.expire(1000, Infinity)
    expect([inFlight(), slots.size, slots.full.size]).toEqual([[0, 0], 0, 0])
    expect(slots.close('l1')).toBe(-1)
  })

  test('say when an agent has one free: now, or at the deadline that makes room', () => {
    expect(slots.freeAtMs(B)).toBe(0)
    slots.open('l1', A, 100)
    expect(slots.freeAtMs(A)).toBe(0)
    slots.open('l2', A, 50)
    expect(slots.freeAtMs(A)).toBe(50)
    put(fleet, { id: 'a', maxConcurrency: 1 })
    expect(slots.freeAtMs(A)).toBe(100)
    put(fleet, { id: 'a', maxConcurrency: 3 })
    expect(slots.freeAtMs(A)).toBe(0)
  })

  test('are reviewed when an agent’s capacity changes', () => {
    slots.open('l1', A, 100)
    put(fleet, { id: 'a', maxConcurrency: 1 })
    slots.review(A)
    expect([...slots.full]).toEqual([A])
    put(fleet, { id: 'a', maxConcurrency: 5 })
    slots.review(A)
    expect([...slots.full]).toEqual([])
  })

  test('visit agents by their leases’ deadlines, once for each lease', () => {
    slots.open('l1', A, 100)
    slots.open('l2', B, 70)
    slots.open('l3', A, 60)
    const seen: [number, number][] = []
    slots.inOrder((agent, atMs) => seen.push([agent, atMs]) < 3)
    expect(seen).toEqual([
      [A, 60],
      [B, 70],
      [A, 100],
    ])
    expect(slots.size).toBe(3)
  })

  test('of an agent that leaves do not count on the one that is given its number', () => {
    slots.open('l1', A, 100)
    slots.open('l2', A, 50)
    slots.abandon(A, 'a')
    fleet.remove('a')
    put(fleet, { id: 'c', maxConcurrency: 1 })
    expect([fleet.find('c'), inFlight(), slots.full.size]).toEqual([A, [0, 0], 0])
    expect(slots.close('l1')).toBe(-1)
    slots.expire(1000, Infinity)
    expect([inFlight(), slots.size]).toEqual([[0, 0], 0])
  })

  test('of an agent that leaves and comes back are its own again, those that still run', () => {
    slots.open('l1', A, 100)
    slots.open('l2', A, 50)
    slots.abandon(A, 'a')
    fleet.remove('a')
    slots.expire(60, Infinity)
    put(fleet, { id: 'x' }, { id: 'a', maxConcurrency: 1 })
    const back = fleet.find('a')
    slots.adopt(back, 'a')
    slots.adopt(back, 'a')
    expect([fleet.loads.inFlight(back), [...slots.full], slots.freeAtMs(back)]).toEqual([
      1,
      [back],
      100,
    ])
    expect(slots.close('l1')).toBe(back)
    expect([fleet.loads.inFlight(back), slots.size]).toEqual([0, 0])
  })

  test('are as right with thousands of leases as with two', () => {
    put(fleet, { id: 'a', maxConcurrency: 65_535 })
    for (let i = 0; i < 5000; i++) slots.open(`l${i}`, i % 2, 1 + ((i * 7919) % 5000))
    for (let i = 0; i < 5000; i += 3) slots.close(`l${i}`)
    const left = Array.from({ length: 5000 }, (_, i) => i).filter((i) => i % 3 !== 0)
    slots.expire(2500, Infinity)
    const open = left.filter((i) => 1 + ((i * 7919) % 5000) > 2500)
    expect(inFlight()).toEqual([
      open.filter((i) => i % 2 === 0).length,
      open.filter((i) => i % 2 === 1).length,
    ])
    expect(slots.size).toBe(open.length)
  })
})
