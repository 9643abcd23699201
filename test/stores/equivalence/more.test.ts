import { test } from 'vitest'
import { sideBySide } from './side-by-side.ts'

test('store-equivalence: more traces give the same on every store', () => sideBySide(1), 400_000)
