import { test } from 'vitest'
import { sideBySide } from './side-by-side.ts'

test(
  'store-equivalence: SQLite, Redis and a Cluster give what memory and the naive model give, line by line',
  () => sideBySide(0),
  400_000,
)
