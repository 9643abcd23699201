import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fingerprint } from '../../../packages/core/src/limit/fingerprint.ts'
import { SlotNames } from '../../../packages/core/src/limit/names.ts'
import { Rows } from '../../../packages/core/src/limit/rows.ts'
import { Slots } from '../../../packages/core/src/limit/slots.ts'
import { seededRandom } from '../../../packages/core/src/random.ts'

test('finds every key through growth, removal and reuse of slots, and no other', () => {
  const slots = new Slots()
  const names = new SlotNames(slots, 7)
  const bySlot = new Map<string, number>()
  const hints = new Map<string, number>()
  const random = seededRandom(3)
  // More keys than the cache is asked for, and many of the same last four characters.
  const key = (i: number): string => `k${i}-${i % 3}-aaaa`
  for (let i = 0; i < 90_000; i++) {
    expect(names.find(key(i), 0)).toBe(0)
    const slot = slots.take()
    names.add(slot, key(i))
    bySlot.set(key(i), slot)
    if (random() < 0.4) {
      const gone = key(Math.floor(random() * (i + 1)))
      const held = bySlot.get(gone)
      if (names.find(gone, hints.get(gone) ?? 0) !== (held ?? 0)) expect.fail(`${gone} is lost`)
      if (held === undefined) continue
      hints.set(gone, held)
      names.remove(held)
      slots.give(held)
      bySlot.delete(gone)
    }
  }
  for (let i = 0; i < 90_000; i++) {
    const found = names.find(key(i), hints.get(key(i)) ?? 0)
    if (found !== (bySlot.get(key(i)) ?? 0)) expect.fail(`${key(i)} is found at ${found}`)
  }
  expect(names.size).toBe(bySlot.size)
})

test('tells keys apart that look alike to its cache', () => {
  const slots = new Slots()
  const names = new SlotNames(slots, 7)
  const [first, second] = ['alike-0-m-zzzz', 'alike-1-m-zzzz']
  for (const key of [first, second]) {
    expect(names.find(key, 0)).toBe(0)
    names.add(slots.take(), key)
  }
  for (let i = 0; i < 3; i++) expect([names.find(first, 0), names.find(second, 0)]).toEqual([1, 2])
})

test('records keep what was written while their room grows', () => {
  const records = new Rows(3)
  for (let i = 0; i < 50_000; i++) {
    records.reserve(i)
    expect(records.wordsOf(i)[records.startOf(i) + 2]).toBe(0)
    records.wordsOf(i)[records.startOf(i) + 2] = i + 1
  }
  for (let i = 0; i < 50_000; i++) {
    if (records.wordsOf(i)[records.startOf(i) + 2] !== i + 1) expect.fail(`record ${i} is lost`)
  }
  expect(records.bytes).toBeLessThan(50_000 * 3 * 4 * 1.4)
})

/** HalfSipHash-1-3 with 64 bits, step by step, over words of two units: the naive twin. */
function halfSip(text: string, k0: number, k1: number): [number, number] {
  const rotl = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits))
  const v = [k0, k1 ^ 0xee, 0x6c796765 ^ k0, 0x74656462 ^ k1]
  const round = (): void => {
    v[0] = (v[0] + v[1]) | 0
    v[1] = rotl(v[1], 5) ^ v[0]
    v[0] = rotl(v[0], 16)
    v[2] = (v[2] + v[3]) | 0
    v[3] = rotl(v[3], 8) ^ v[2]
    v[0] = (v[0] + v[3]) | 0
    v[3] = rotl(v[3], 7) ^ v[0]
    v[2] = (v[2] + v[1]) | 0
    v[1] = rotl(v[1], 13) ^ v[2]
    v[2] = rotl(v[2], 16)
  }
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))
  const words: number[] = []
  for (let i = 0; i + 1 < units.length; i += 2) words.push(units[i] | (units[i + 1] << 16))
  words.push((units.length << 16) | (units.length % 2 === 1 ? units[units.length - 1] : 0))
  for (const word of words) {
    v[3] ^= word
    round()
    v[0] ^= word
  }
  v[2] ^= 0xee
  for (let i = 0; i < 3; i++) round()
  return [v[1] ^ v[3], v[0] ^ v[2]]
}

test('fingerprints are HalfSipHash-1-3 of 64 bits', () => {
  const seed = fc.integer({ min: 0, max: 0xffffffff })
  fc.assert(
    fc.property(seed, fc.string({ unit: 'binary', maxLength: 40 }), (any, text) => {
      const print = new Fingerprint(any)
      print.take(text)
      const k0 = Math.imul(any ^ 0x736f6d65, 0x9e3779b1)
      const k1 = Math.imul(any ^ 0x646f7261, 0x85ebca6b)
      expect([print.hash, print.check]).toEqual(halfSip(text, k0, k1))
    }),
  )
})

test('fingerprints of a hundred thousand keys that differ little do not meet', () => {
  const print = new Fingerprint(11)
  const seen = new Set<string>()
  for (let i = 0; i < 100_000; i++) {
    print.take(`key-${i}`)
    seen.add(`${print.hash} ${print.check}`)
  }
  expect(seen.size).toBe(100_000)
})

test('never gives the empty key a slot, though its tag is that of a key that is gone', () => {
  const slots = new Slots()
  const names = new SlotNames(slots, 7)
  const key = 'xxxxX87[E'
  expect(names.find(key, 0)).toBe(0)
  const slot = slots.take()
  names.add(slot, key)
  expect(names.find(key, 0)).toBe(slot)
  names.remove(slot)
  expect(names.find('', 0)).toBe(0)
})
