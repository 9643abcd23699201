import { inspect, redisStore } from '@ostler/store-redis'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../servers/ports.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { startReplicated } from '../../servers/replicated.ts'

let server: RedisServer

beforeAll(async () => {
  server = await startRedis({ appendonly: true })
})
afterEach(async () => {
  await server.ask('config', 'set', 'maxmemory-policy', 'noeviction')
})
afterAll(() => server.stop())

describe('inspect', () => {
  it('finds nothing wrong with a server as it should be, and says what it is', async () => {
    const { nodes, clusterState, problems, unknown } = await inspect(server.url)
    expect(problems).toEqual([])
    expect(unknown).toEqual([])
    expect(clusterState).toBeNull()
    const [node] = nodes
    expect(node).toMatchObject({
      address: `127.0.0.1:${server.port}`,
      kind: 'redis',
      role: 'master',
      connectedReplicas: 0,
      maxmemoryBytes: 0,
      maxmemoryPolicy: 'noeviction',
      aof: true,
      rdb: false,
      scripts: true,
    })
    expect(node.version).toMatch(/^\d+\.\d+\.\d+/)
    expect(node.roundTripMs).toBeGreaterThan(0)
    expect(Math.abs(node.skewMs)).toBeLessThan(50)
  })

  it('finds that a server evicts', async () => {
    await server.ask('config', 'set', 'maxmemory-policy', 'allkeys-lru')
    const { problems } = await inspect(server.url)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain('maxmemory-policy is allkeys-lru')
  })

  it('finds that nothing is persisted, and that a replica cannot decide', async () => {
    const pair = await startReplicated()
    try {
      const primary = await inspect(pair.primary.url)
      expect(primary.nodes[0].connectedReplicas).toBe(1)
      expect(primary.problems.join('\n')).toContain('neither AOF nor snapshots are on')
      const replica = await inspect(pair.replica.url)
      expect(replica.problems.join('\n')).toContain('this is a replica')
    } finally {
      await pair.stop()
    }
  })

  it('says what it may not ask, and does not throw', async () => {
    await server.ask(
      'acl',
      'setuser',
      'clerk',
      'on',
      '>open-sesame',
      '~*',
      '&*',
      '+@all',
      '-config',
      '-info',
    )
    const found = await inspect(server.url.replace('//', '//clerk:open-sesame@'))
    expect(found.unknown).toHaveLength(2)
    expect(found.unknown.join('\n')).toMatch(/INFO.*NOPERM/i)
    expect(found.unknown.join('\n')).toMatch(/CONFIG.*NOPERM/i)
    expect(found.nodes[0]).toMatchObject({ version: null, maxmemoryPolicy: null, rdb: null })
    expect(found.nodes[0].scripts).toBe(true)
    expect(JSON.stringify(found)).not.toContain('sesame')
  })

  it('says that scripts are forbidden', async () => {
    await server.ask('acl', 'setuser', 'mute', 'on', '>pass', '~*', '&*', '+@all', '-@scripting')
    const found = await inspect(server.url.replace('//', '//mute:pass@'))
    expect(found.nodes[0].scripts).toBe(false)
    expect(found.problems.join('\n')).toContain('scripts')
  })

  it('says that a server is out of reach', async () => {
    const { nodes, problems } = await inspect(`redis://127.0.0.1:${await freePort()}`)
    expect(nodes).toEqual([])
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain('ECONNREFUSED')
  })

  it("names the settings of a client that break a store's promises, and leaves it open", async () => {
    const client = new Redis(server.url, { keyPrefix: 'a{b}' })
    try {
      const { problems } = await inspect(client)
      for (const setting of [
        'enableOfflineQueue',
        'maxRetriesPerRequest',
        'autoResendUnfulfilledCommands',
        'socketTimeout',
        'keyPrefix',
      ]) {
        expect(problems.some((problem) => problem.startsWith(`client: ${setting}`))).toBe(true)
      }
      expect(await client.ping()).toBe('PONG')
    } finally {
      client.disconnect()
    }
  })

  it('is the check of a store, of its own client', async () => {
    const store = redisStore({ url: server.url })
    expect(await store.check()).toMatchObject({ problems: [], unknown: [] })
    await store.close()
  })
})
