import { redisStore } from '@ostler/store-redis'
import { storeContract } from '@ostler/testkit'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { startRedis, type RedisServer } from '../../servers/redis.ts'

let server: RedisServer
let prefixes = 0

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

describe('the Redis store', () => {
  storeContract({ describe, it }, async () => {
    const prefix = `contract${prefixes++}`
    const opened = [openStore(prefix)]
    return {
      store: opened[0],
      second: async () => {
        opened.push(openStore(prefix))
        return opened[1]
      },
      close: async () => {
        for (const store of opened) await store.close()
      },
    }
  })
})

/** On the virtual time of the cases; a slow machine is no reason to fail one. */
function openStore(prefix: string) {
  return redisStore({ url: server.url, prefix, time: 'caller', budgetMs: 5_000 })
}
