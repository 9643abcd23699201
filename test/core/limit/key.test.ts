import { expect, test } from 'vitest'
import { keyProblem } from '../../../packages/core/src/limit/key.ts'

test.each([
  ['a'],
  ['ak_live_0123456789'],
  [' '],
  ['~'.repeat(128)],
  ['é'.repeat(64)],
  ['€'.repeat(42)],
  ['😀'.repeat(32)],
  ['schlüssel'],
  ['\u00a0'],
  ['__proto__'],
])('takes %j', (key) => {
  expect(keyProblem(key)).toBeNull()
})

test.each([
  ['', '1 to 128 bytes'],
  ['a'.repeat(129), '1 to 128 bytes'],
  ['é'.repeat(65), '1 to 128 bytes'],
  ['€'.repeat(43), '1 to 128 bytes'],
  ['😀'.repeat(33), '1 to 128 bytes'],
  ['a\u0000b', 'U+0000 at index 1'],
  ['line\n', 'U+000A at index 4'],
  ['\u001f', 'U+001F at index 0'],
  ['\u007f', 'U+007F'],
  ['é\u0080', 'U+0080 at index 1'],
  ['\u009f', 'U+009F'],
  ['\ud800', 'lone surrogate U+D800'],
  ['a\udc00b', 'lone surrogate U+DC00 at index 1'],
  ['\ude00\ud83d', 'lone surrogate U+DE00'],
  [undefined, 'must be a string, got undefined'],
  [null, 'must be a string, got null'],
  [7, 'must be a string, got 7'],
  [['k'], 'must be a string, got an array of 1'],
])('refuses %j', (key, problem) => {
  expect(keyProblem(key)).toContain(problem)
})
