import { redisStore } from '@ostler/store-redis'
import { storeContract } from '@ostler/testkit'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Store } from '@ostler/core'
import { startCluster, type RedisCluster } from '../../servers/cluster.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'

let prefixes = 0

/** On the virtual time of the cases; a slow machine is no reason to fail one. */
const PATIENT = { time: 'caller', budgetMs: 5_000 } as const

/** Each case on names of its own, with as many connections as it asks for. */
function contractOn(connect: (prefix: string) => Store): void {
  storeContract({ describe, it }, async () => {
    const prefix = `contract${prefixes++}`
    const opened = [connect(prefix)]
    return {
      store: opened[0],
      second: async () => {
        opened.push(connect(prefix))
        return opened[1]
      },
      close: async () => {
        for (const store of opened) await store.close()
      },
    }
  })
}

describe('the Redis store', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())

  contractOn((prefix) => redisStore({ url: server.url, prefix, ...PATIENT }))
})

describe('the Redis store on a Cluster of three primaries and three replicas', () => {
  let cluster: RedisCluster
  const clients: Cluster[] = []
  beforeAll(async () => {
    cluster = await startCluster()
    clients.push(new Cluster([...cluster.urls]), new Cluster([...cluster.urls]))
    await Promise.all(clients.map(async (client) => client.ping()))
  }, 60_000)
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await cluster.stop()
  })

  let connections = 0
  contractOn((prefix) => {
    const client = clients[connections++ % clients.length]
    return redisStore({ client, prefix, subscribe: false, ...PATIENT })
  })
})
