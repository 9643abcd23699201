import { expect, test } from 'vitest'
import { OwnBook } from '../../../packages/core/src/pick/book.ts'

const isAvailable = (untilMs: number, nowMs: number): boolean => nowMs >= untilMs

test("a view's own book keeps what is not available, and drops in passing what is by now", () => {
  const book = new OwnBook(isAvailable)
  for (let i = 0; i < 100; i++) book.set('d', `e${i}`, 10 + i, 1)
  book.set('d', 'gone', 1, 1)
  expect([book.get('d', 'e7'), book.get('d', 'gone'), [...book.entries()].length]).toEqual([
    17,
    null,
    100,
  ])
  book.set('d', 'e7', null, 1)
  expect(book.get('d', 'e7')).toBe(null)
  // Exits that nobody asks about any more: others that come make room of them.
  for (let i = 0; i < 200; i++) book.set('d', `later${i}`, 2_000, 1_000)
  expect([...book.entries()].every(([, untilMs]) => untilMs === 2_000)).toBe(true)
  book.clear()
  expect([...book.entries()]).toEqual([])
})
