// A process that decides a hundred times and ends without closing its store.
import { sqliteStore } from '@ostler/store-sqlite'

const { options, end } = JSON.parse(process.argv[2])
const store = sqliteStore(options)
const DAY_MS = 86_400_000
const policies = [{ kind: 'exact', name: 'p', limit: 1_000, windowMs: DAY_MS, quantumMs: DAY_MS }]

for (let i = 0; i < 100; i++) store.consume({ key: 'k', policies, cost: 1, nowMs: Date.now() })
if (end === 'exits') process.exit()
if (end === 'throws') throw new Error('as this process was told to')
