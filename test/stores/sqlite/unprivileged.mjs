// A process without the rights of root: opens a store, and says how it was refused.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteStore } from '@ostler/store-sqlite'

// All that a store needs is loaded before: it may lie where only root can read.
const folder = mkdtempSync(join(tmpdir(), 'ostler-rights-'))
sqliteStore({ path: join(folder, 'any.db') }).close()
rmSync(folder, { recursive: true })
if (process.getuid() === 0) process.setuid(65_534)
const { path } = JSON.parse(process.argv[2])
try {
  sqliteStore({ path }).close()
  process.stdout.write(JSON.stringify({ code: 'none', message: 'it was opened' }))
} catch ({ code, message }) {
  process.stdout.write(JSON.stringify({ code, message }))
}
