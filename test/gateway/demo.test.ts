import { Scheduler } from '@ostler/core'
import { startDemo } from '@ostler/gateway'
import { sqliteStore } from '@ostler/store-sqlite'
import { expect, test } from 'vitest'
import { freshPath } from '../stores/sqlite/rig.ts'

test('the agents of a demo leave the store with it, and it is closed', async () => {
  const path = freshPath()
  const store = sqliteStore({ path })
  const demo = await startDemo({ store, log: false })
  const other = new Scheduler({ store: sqliteStore({ path }), tiers: {} })
  other.agents.refresh()
  expect(other.agents.size).toBe(8)
  await demo.close()
  other.agents.refresh()
  expect(other.agents.size).toBe(0)
  expect(() => store.agents(0)).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  other.close()
})
