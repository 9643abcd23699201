import { storeContract } from '@ostler/testkit'
import { describe, it } from 'vitest'
import { freshPath, Stores } from './rig.ts'

for (const durability of ['sync', 'batched'] as const) {
  describe(`the sqlite store, ${durability}, two connections to one file`, () => {
    storeContract({ describe, it }, async () => {
      const path = freshPath()
      const stores = new Stores()
      return {
        store: stores.open({ path, durability }),
        second: async () => stores.open({ path, durability }),
        close: async () => stores.closeAll(),
      }
    })
  })
}
