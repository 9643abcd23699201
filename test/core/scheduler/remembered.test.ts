import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Remembered } from '../../../packages/core/src/scheduler/remembered.ts'

test('the last few that were asked for or set are remembered, and no more than twice as many', () => {
  const MOST = 4
  const step = fc.record({ sets: fc.boolean(), key: fc.nat(12).map(String) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const remembered = new Remembered<string>(MOST)
      const values = new Map<string, string>()
      let recent: string[] = []
      steps.forEach(({ sets, key }, i) => {
        const kept = recent.includes(key)
        if (sets) {
          remembered.set(key, `${key} of ${i}`)
          values.set(key, `${key} of ${i}`)
        } else {
          const value = remembered.get(key)
          if (kept || value !== undefined) expect(value).toBe(values.get(key))
          if (value === undefined) return
        }
        recent = [key, ...recent.filter((other) => other !== key)].slice(0, MOST)
      })
      const all = [...values.keys()].filter((key) => remembered.get(key) !== undefined)
      expect(all.length).toBeLessThanOrEqual(2 * MOST)
    }),
  )
})
