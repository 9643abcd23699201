import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Arena } from '../../../packages/core/src/limit/arena.ts'

test('never gives out a word twice, and joins all that is given back', () => {
  const move = fc.record({
    take: fc.boolean(),
    k: fc.integer({ min: 2, max: 14 }),
    which: fc.nat(),
  })
  fc.assert(
    fc.property(fc.array(move, { maxLength: 300, size: 'max' }), (moves) => {
      const arena = new Arena()
      const blocks: { address: number; k: number }[] = []
      const owners = new Map<number, number>()
      const give = (index: number): void => {
        const [{ address, k }] = blocks.splice(index, 1)
        for (let i = 0; i < 1 << k; i += 2) owners.delete(address + i)
        arena.give(address, k)
      }
      for (const { take, k, which } of moves) {
        if (!take && blocks.length > 0) give(which % blocks.length)
        if (!take) continue
        const address = arena.take(k)
        expect(address % (1 << k)).toBe(0)
        for (let i = 0; i < 1 << k; i += 2) {
          if (owners.has(address + i)) throw new Error(`word ${address + i} was given out twice`)
          owners.set(address + i, k)
        }
        arena.segments[address >>> 14].fill(7, address % 16384, (address % 16384) + (1 << k))
        blocks.push({ address, k })
      }
      while (blocks.length > 0) give(0)
      const { bytes } = arena
      for (let i = 0; i < arena.segments.length; i++) arena.take(14)
      expect(arena.bytes).toBe(bytes)
    }),
    { numRuns: 60 },
  )
})
