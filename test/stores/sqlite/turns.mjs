// A process that wants the file all the time, and counts how often it did not get it.
import { setImmediate as next } from 'node:timers/promises'
import { sqliteStore } from '@ostler/store-sqlite'

const { options, key, policy, calls } = JSON.parse(process.argv[2])
const store = sqliteStore(options)
let refused = 0
let slowestMs = 0
for (let i = 0; i < calls; i++) {
  const beganMs = performance.now()
  try {
    store.consume({ key, policies: [policy], cost: 1, nowMs: Date.now() })
  } catch (error) {
    if (error.code !== 'STORE_UNAVAILABLE') throw error
    refused++
  }
  slowestMs = Math.max(slowestMs, performance.now() - beganMs)
  if (i % 20 === 19) await next()
}
store.close()
process.stdout.write(JSON.stringify({ refused, slowestMs }))
