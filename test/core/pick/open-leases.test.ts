import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NONE, OpenLeases } from '../../../packages/core/src/pick/open-leases.ts'

interface Naive {
  readonly handle: number
  readonly atMs: number
  owner: number
}

const step = fc.record({
  does: fc.constantFrom('opens', 'opens', 'closes', 'detaches', 'attaches'),
  // Of different lengths, odd and even, and beyond one byte a character.
  id: fc.nat(40).map((n) => `lease-${'ü'.repeat(n % 3)}${n}`),
  owner: fc.nat(4).map((n) => n * 700),
  atMs: fc.nat(50),
})

function ofOwner(leases: OpenLeases, owner: number): number[] {
  const found: number[] = []
  for (let at = leases.firstOf(owner); at !== NONE; at = leases.next(at)) found.push(at)
  return found.sort((a, b) => a - b)
}

describe('open leases', () => {
  test('are found by id, by owner and by deadline, as in a Map', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const leases = new OpenLeases()
        const naive = new Map<string, Naive>()
        for (const { does, id, owner, atMs } of steps) {
          const known = naive.get(id)
          expect(leases.find(id)).toBe(known?.handle ?? NONE)
          if (known === undefined) {
            if (does === 'opens')
              naive.set(id, { handle: leases.add(id, owner, atMs), atMs, owner })
          } else if (does === 'closes') {
            expect(leases.remove(known.handle)).toBe(known.owner)
            naive.delete(id)
          } else if (does === 'detaches' && known.owner !== NONE) {
            leases.detach(known.handle)
            known.owner = NONE
          } else if (does === 'attaches' && known.owner === NONE) {
            leases.attach(known.handle, owner)
            known.owner = owner
          }
        }
        expect(leases.size).toBe(naive.size)
        expect(leases.deadlines.firstAtMs).toBe(
          Math.min(...[...naive.values()].map(({ atMs }) => atMs)),
        )
        for (const [id, { handle, atMs, owner }] of naive) {
          expect([leases.idOf(handle), leases.ownerOf(handle)]).toEqual([id, owner])
          expect(leases.deadlines.at(handle)).toBe(atMs)
        }
        for (const owner of [0, 700, 1400, 2100, 2800, 9999]) {
          const handles = [...naive.values()].filter((one) => one.owner === owner)
          expect(ofOwner(leases, owner)).toEqual(
            handles.map(({ handle }) => handle).sort((a, b) => a - b),
          )
        }
      }),
    )
  })

  test('are as many as there are, whatever their ids have in common', () => {
    const leases = new OpenLeases()
    const handles = new Map<string, number>()
    const ids = Array.from({ length: 5_000 }, (_, i) => `${'x'.repeat(i % 5)}${i}same-end`)
    for (const id of ids) {
      expect(leases.find(id)).toBe(NONE)
      handles.set(id, leases.add(id, 0, 1))
    }
    for (const id of ids) expect(leases.find(id)).toBe(handles.get(id))
    expect(new Set(handles.values()).size).toBe(ids.length)
  })

  test('are found by owner, and counted, also once they spread over more lists', () => {
    const leases = new OpenLeases()
    const owners = 5_000
    const handles: number[][] = Array.from({ length: owners }, () => [])
    for (let i = 0; i < 40_000; i++) {
      expect(leases.find(`l${i}`)).toBe(NONE)
      handles[i % owners].push(leases.add(`l${i}`, i % owners, i))
      // Gaps, and leases that nobody owns, when all are gone through.
      if (i % 7 === 3) leases.remove(handles[i % owners].pop() as number)
      else if (i % 11 === 4) leases.detach(handles[i % owners].pop() as number)
    }
    handles.forEach((own, owner) => {
      expect(ofOwner(leases, owner)).toEqual(own.sort((a, b) => a - b))
      expect(leases.mostOf(owner)).toBe(own.length)
    })
  })
})
