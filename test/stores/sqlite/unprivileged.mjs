// A process without the rights of root: opens a store, and says how it was refused.
import Database from 'better-sqlite3'
import { sqliteStore } from '@ostler/store-sqlite'

// The driver's native part may lie where only root can read.
new Database(':memory:').close()
if (process.getuid() === 0) process.setuid(65_534)
const { path } = JSON.parse(process.argv[2])
try {
  sqliteStore({ path }).close()
  process.stdout.write(JSON.stringify({ code: 'none', message: 'it was opened' }))
} catch ({ code, message }) {
  process.stdout.write(JSON.stringify({ code, message }))
}
