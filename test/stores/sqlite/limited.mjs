// A process whose files may not grow beyond what `ulimit -f` says: to it the disk is full. It consumes with ever new keys until a call
// fails, pings, and says what the store then holds of what was admitted.
import { setTimeout as sleep } from 'node:timers/promises'
import { sqliteStore } from '@ostler/store-sqlite'

const { options, policy, burst } = JSON.parse(process.argv[2])
const store = sqliteStore(options)
const admitted = []
let slowestMs = 0
let failure = null

for (let i = 0; failure === null; i++) {
  const beganMs = performance.now()
  try {
    const key = `key-${i}`
    store.consume({ key, policies: [policy], cost: 1, nowMs: Date.now() })
    admitted.push({ key, atMs: beganMs })
  } catch (error) {
    failure = { code: error.code, message: error.message, cause: causeOf(error), atMs: beganMs }
  }
  slowestMs = Math.max(slowestMs, performance.now() - beganMs)
  // A batch is committed by its timer.
  if (i % burst === burst - 1) await sleep(25)
}
// Opening the file anew puts its log away, and so makes room.
store.ping()
const missing = admitted.filter(({ key }) => store.usage(key, [policy], Date.now())[0].used !== 1)
const { allowed } = store.consume({ key: 'after', policies: [policy], cost: 1, nowMs: Date.now() })
store.close()

const oldestLostMs = missing.length === 0 ? 0 : failure.atMs - missing[0].atMs
const counts = { admitted: admitted.length, missing: missing.length, oldestLostMs }
process.stdout.write(JSON.stringify({ failure, ...counts, allowed, slowestMs }))

/** The innermost cause that has a code of SQLite's. */
function causeOf({ cause }) {
  return cause === undefined || cause.code?.startsWith('SQLITE_') ? cause?.code : causeOf(cause)
}
