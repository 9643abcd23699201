// A process that looks at a key until it has used enough.
import { setTimeout as sleep } from 'node:timers/promises'
import { sqliteStore } from '@ostler/store-sqlite'

const { path, key, policy, atLeast } = JSON.parse(process.argv[2])
const store = sqliteStore({ path })
const endMs = Date.now() + 10_000
while (store.usage(key, [policy], Date.now())[0].used < atLeast) {
  if (Date.now() > endMs) throw new Error('waited 10 s in vain')
  await sleep(1)
}
store.close()
process.stdout.write(JSON.stringify({ atMs: Date.now() }))
