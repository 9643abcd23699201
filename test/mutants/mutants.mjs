// The planted bugs: in `file`, `find` (which must stand there exactly once) becomes `replace`.
// `why` says what a user would see; `tests` are the files that must notice.
import { client } from './client.mjs'
import { degraded } from './degraded.mjs'
import { gateway } from './gateway.mjs'
import { health } from './health.mjs'
import { limits } from './limits.mjs'
import { picks } from './picks.mjs'
import { stores } from './stores.mjs'

export const mutants = [
  ...limits,
  ...health,
  ...picks,
  ...degraded,
  ...stores,
  ...gateway,
  ...client,
]
