import fc from 'fast-check'
import { Agenda } from '@ostler/simulator'
import { expect, test } from 'vitest'

test('gives what is due in order of time, and of one instant in the order it was put in', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 700 }), (times) => {
      const agenda = new Agenda()
      times.forEach((atMs, i) => agenda.put(atMs, i))
      const taken: number[] = []
      while (agenda.nextMs < Infinity) {
        const { nextMs } = agenda
        const slot = agenda.take()
        expect(times[slot]).toBe(nextMs)
        taken.push(slot)
      }
      const sorted = times.map((_, i) => i).sort((a, b) => times[a] - times[b] || a - b)
      expect(taken).toEqual(sorted)
    }),
  )
})

test('keeps that order when puts and takes alternate', () => {
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.integer({ min: 0, max: 9 })), { maxLength: 300 }),
      (steps) => {
        const agenda = new Agenda()
        const naive: { readonly atMs: number; readonly slot: number }[] = []
        steps.forEach((atMs, slot) => {
          if (atMs !== null) {
            agenda.put(atMs, slot)
            naive.push({ atMs, slot })
          } else if (naive.length > 0) {
            naive.sort((a, b) => a.atMs - b.atMs || a.slot - b.slot)
            expect(agenda.take()).toBe(naive.shift()?.slot)
          }
        })
      },
    ),
  )
})
