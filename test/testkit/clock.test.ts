import { ManualClock } from '@ostler/testkit'
import { expect, test } from 'vitest'

test('moves only when told, forwards and back', () => {
  const clock = new ManualClock(1_000)
  expect(clock.nowMs()).toBe(1_000)
  expect(clock.advance(50)).toBe(1_050)
  expect(clock.advance(-100)).toBe(950)
  expect(clock.set(5)).toBe(5)
  expect(clock.nowMs()).toBe(5)
})

test.each([0, -1, 1.5, NaN, Infinity])('refuses %s: time starts at 1', (nowMs) => {
  expect(() => new ManualClock(nowMs)).toThrow(`got ${nowMs}`)
  const clock = new ManualClock()
  const before = clock.nowMs()
  expect(() => clock.set(nowMs)).toThrow(RangeError)
  expect(clock.nowMs()).toBe(before)
})
