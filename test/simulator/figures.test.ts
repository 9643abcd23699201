import { counted } from '@ostler/simulator'
import { expect, test } from 'vitest'

test('counts one thing in the singular, and all else in the plural', () => {
  expect(counted(1, 'client')).toBe('1 client')
  expect(counted(0, 'client')).toBe('0 clients')
  expect(counted(2_000, 'bad entry', 'bad entries')).toBe('2,000 bad entries')
})
