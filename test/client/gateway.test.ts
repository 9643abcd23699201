import type { ServerResponse } from 'node:http'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ostler, type ClientOptions, type FetchOptions } from '@ostler/client'
import { memoryStore, OstlerError as CoreError } from '@ostler/core'
import { KeyFile } from '@ostler/gateway'
import { describe, expect, test } from 'vitest'
import { closing } from '../gateway/rig/closing.ts'
import { makeKey, revocable, startRig, type Rig, type RigOptions } from '../gateway/rig/gateway.ts'
import { BLOCK_PAGE } from '../gateway/rig/targets.ts'
import { serve } from '../gateway/rig/sockets.ts'
import { freePort } from '../servers/ports.ts'
import { until } from '../servers/until.ts'
import { failure } from './rig/failure.ts'

/** A client of a real gateway, with real agents and a real target. It does not retry unless it is told to. */
async function start(
  options: RigOptions = {},
  more: ClientOptions = {},
): Promise<{ readonly rig: Rig; readonly client: Ostler }> {
  const rig = await startRig(options)
  return { rig, client: clientOf(rig, more) }
}

function clientOf(rig: Rig, more: ClientOptions = {}): Ostler {
  return new Ostler({ apiKey: rig.key, baseUrl: rig.url, maxRetries: 0, ...more })
}

const ONE = { one: { policies: [{ name: 'one', limit: 1, windowMs: 60_000 }], permits: 1 } }
const REQUEST_ID = /^req_[0-9a-f]{32}$/

describe('every class of errors comes by its real cause', () => {
  /** What is wrong, and the call that meets it. */
  interface Condition {
    readonly Class: abstract new (...args: never[]) => InstanceType<typeof Ostler.APIError>
    readonly status: number
    readonly code: string
    readonly call: () => Promise<unknown>
  }

  async function fetching(
    path: string,
    rigOptions: RigOptions = {},
    options: FetchOptions = {},
    more: ClientOptions = {},
  ): Promise<unknown> {
    const { rig, client } = await start(rigOptions, more)
    return client.fetch(`${rig.target.url}${path}`, options)
  }

  // prettier-ignore
  const conditions: readonly Condition[] = [
    { Class: Ostler.BadRequestError, status: 400, code: 'INVALID_GEO', call: () => fetching('/', {}, { geo: 'Atlantis' }) },
    { Class: Ostler.BadRequestError, status: 400, code: 'INVALID_TARGET_URL', call: async () => (await start()).client.fetch('ftp://files.example/') },
    { Class: Ostler.BadRequestError, status: 400, code: 'MISSING_TARGET_URL', call: async () => (await start()).client.fetch('') },
    { Class: Ostler.BadRequestError, status: 400, code: 'BAD_REQUEST', call: () => fetching('/', {}, { idempotencyKey: 'two words' }) },
    { Class: Ostler.BadRequestError, status: 413, code: 'PAYLOAD_TOO_LARGE', call: () => fetching('/', { maxRequestBytes: 2048 }, { method: 'POST', body: 'x'.repeat(3000) }) },
    { Class: Ostler.BadRequestError, status: 431, code: 'HEADERS_TOO_LARGE', call: () => fetching('/', {}, { gatewayHeaders: { 'x-long': 'x'.repeat(40_000) } }) },
    { Class: Ostler.AuthenticationError, status: 401, code: 'UNAUTHORIZED', call: () => fetching('/', {}, {}, { apiKey: 'no-key-of-ours' }) },
    { Class: Ostler.ForbiddenError, status: 403, code: 'FORBIDDEN', call: () => fetching('/', {}, {}, { apiKey: makeKey().key }) },
    { Class: Ostler.ForbiddenError, status: 403, code: 'TARGET_FORBIDDEN', call: async () => (await start()).client.fetch('http://169.254.169.254/') },
    { Class: Ostler.InsufficientScopeError, status: 403, code: 'INSUFFICIENT_SCOPE', call: () => fetching('/', { scopes: ['usage'] }) },
    { Class: Ostler.NotFoundError, status: 404, code: 'NOT_FOUND', call: async () => {
      const rig = await startRig()
      return clientOf(rig, { baseUrl: `${rig.url}/nowhere` }).usage()
    } },
    { Class: Ostler.ConflictError, status: 409, code: 'CONFLICT', call: async () => {
      const { rig, client } = await start()
      const call = () => client.fetch(`${rig.target.url}/large`, { idempotencyKey: 'one' })
      await call()
      return call()
    } },
    { Class: Ostler.ConflictError, status: 409, code: 'IDEMPOTENCY_IN_PROGRESS', call: async () => {
      const { rig, client } = await start()
      const call = () => client.fetch(`${rig.target.url}/hang`, { idempotencyKey: 'one', timeout: 3 })
      call().catch(() => undefined)
      await until('the target is asked', () => rig.target.visits.length === 1)
      return call()
    } },
    { Class: Ostler.IdempotencyKeyReusedError, status: 409, code: 'IDEMPOTENCY_KEY_REUSED', call: async () => {
      const { rig, client } = await start()
      await client.fetch(`${rig.target.url}/`, { idempotencyKey: 'one' })
      return client.fetch(`${rig.target.url}/echo`, { idempotencyKey: 'one' })
    } },
    { Class: Ostler.ValidationError, status: 422, code: 'VALIDATION_ERROR', call: () => fetching('/', {}, { timeout: 301 }) },
    { Class: Ostler.RateLimitError, status: 429, code: 'RATE_LIMITED', call: async () => {
      const { rig, client } = await start({ tier: 'one', tiers: ONE })
      await client.usage()
      return client.fetch(`${rig.target.url}/`)
    } },
    { Class: Ostler.NoAgentAvailableError, status: 502, code: 'NO_AGENT_AVAILABLE', call: async () => {
      const { rig, client } = await start({ agents: 2 })
      for (const _ of rig.agents) await client.fetch(`${rig.target.url}/blocked`)
      return client.fetch(`${rig.target.url}/`)
    } },
    { Class: Ostler.TargetTimeoutError, status: 504, code: 'TARGET_TIMEOUT', call: () => fetching('/hang', {}, { timeout: 0.3 }) },
    { Class: Ostler.InternalServerError, status: 500, code: 'INTERNAL_ERROR', call: async () => {
      // The file of its keys is cut off in the middle.
      const dir = mkdtempSync(join(tmpdir(), 'ostler-keys-'))
      closing(() => rmSync(dir, { recursive: true }))
      const path = join(dir, 'keys.json')
      const keys = new KeyFile({ path })
      const { key } = keys.create({ kind: 'test', tier: 'roomy', scopes: ['usage'], nowMs: 1 })
      const { client } = await start({ keys }, { apiKey: key })
      writeFileSync(path, '{"version": 1, "keys": [{"id":')
      return client.usage()
    } },
    { Class: Ostler.InternalServerError, status: 502, code: 'BAD_GATEWAY', call: async () => {
      const garbage = await serve((socket) => socket.end('this is no HTTP\r\n\r\n'))
      return (await start()).client.fetch(`http://127.0.0.1:${garbage.port}/`)
    } },
    { Class: Ostler.InternalServerError, status: 503, code: 'STORE_UNAVAILABLE', call: () => fetching('/', { store: failingStore() }) },
    { Class: Ostler.InternalServerError, status: 503, code: 'OVERLOADED', call: async () => {
      const { rig, client } = await start({ maxInFlight: 1 })
      client.fetch(`${rig.target.url}/hang`, { timeout: 3 }).catch(() => undefined)
      await until('the target is asked', () => rig.target.visits.length === 1)
      return client.fetch(`${rig.target.url}/`)
    } },
    { Class: Ostler.InternalServerError, status: 503, code: 'SHUTTING_DOWN', call: async () => {
      const { rig, client } = await start({ drainMs: 2000 })
      client.fetch(`${rig.target.url}/hang`, { timeout: 3 }).catch(() => undefined)
      await until('the target is asked', () => rig.target.visits.length === 1)
      void rig.gateway.close()
      return client.fetch(`${rig.target.url}/`)
    } },
  ]

  test.each(conditions)('$status $code', async ({ Class, status, code, call }) => {
    const error = await failure(call())
    expect(error).toBeInstanceOf(Class)
    expect(error).toBeInstanceOf(Ostler.APIError)
    expect(error).toBeInstanceOf(Ostler.OstlerError)
    if (!(error instanceof Ostler.APIError)) throw error
    expect([error.status, error.code, error.name]).toEqual([status, code, Class.name])
    expect(error.constructor).toBe(Class)
    expect(error.requestId).toMatch(REQUEST_ID)
    expect(error.message.length).toBeGreaterThan(5)
    expect(error.excerpt).toBeNull()
    expect(error.headers.get('x-request-id')).toBe(error.requestId)
  })

  test('no class is left out', () => {
    const provoked = new Set(conditions.map(({ Class }) => Class.name))
    // These come of no answer, and of a broker: below, and in amqp.test.ts.
    for (const name of ['APIConnectionError', 'APITimeoutError', 'APIAbortError', 'AMQPError']) {
      provoked.add(name)
    }
    const classes = Object.keys(Ostler).filter((name) => name.endsWith('Error'))
    const bases = ['OstlerError', 'APIError']
    expect([...provoked].sort()).toEqual(classes.filter((name) => !bases.includes(name)).sort())
  })

  test('a limit is told with all that there is to know of it', async () => {
    const { rig, client } = await start({ tier: 'one', tiers: ONE })
    await client.usage()
    const error = await failure(client.fetch(`${rig.target.url}/`))
    if (!(error instanceof Ostler.RateLimitError)) throw error
    expect([error.limit, error.remaining]).toEqual([1, 0])
    expect(error.retryAfter).toBeGreaterThan(50)
    expect(error.retryAfter).toBeLessThanOrEqual(60)
    const resetMs = Number(error.resetAt) - Date.now()
    expect(resetMs).toBeGreaterThan(50_000)
    expect(resetMs).toBeLessThanOrEqual(61_000)
    expect(error.details).toMatchObject({ policy: 'one' })
  })

  test('wrong fields are told, each by its path', async () => {
    const { rig, client } = await start()
    const wrong = { timeout: 301, attempts: 99 }
    const error = await failure(client.fetch(`${rig.target.url}/`, wrong))
    if (!(error instanceof Ostler.ValidationError)) throw error
    expect(error.fields.map(({ path }) => path).sort()).toEqual(['body.attempts', 'body.timeout'])
    expect(error.fields[0].message).toContain('got')
  })

  test('of what domain the agents are excluded, and for how long', async () => {
    const { rig, client } = await start({ agents: 1 })
    await client.fetch(`${rig.target.url}/blocked`)
    const error = await failure(client.fetch(`${rig.target.url}/`))
    if (!(error instanceof Ostler.NoAgentAvailableError)) throw error
    expect(error.domain).toBe('127.0.0.1')
    expect(error.retryAfter).toBeGreaterThanOrEqual(300)
  })

  test('no agent at all: there is no time to wait for', async () => {
    const { rig, client } = await start({ agents: 0 }, { maxRetries: 3 })
    const error = await failure(client.fetch(`${rig.target.url}/`))
    if (!(error instanceof Ostler.NoAgentAvailableError)) throw error
    expect(error.retryAfter).toBeNull()
    expect(error.details['cause']).toBe('fleet_empty')
  })

  test('nobody listens there', async () => {
    const baseUrl = `http://127.0.0.1:${await freePort()}`
    const client = new Ostler({ apiKey: 'ak_test_x', baseUrl, maxRetries: 0 })
    const error = await failure(client.usage())
    expect(error).toBeInstanceOf(Ostler.APIConnectionError)
    expect(error).not.toBeInstanceOf(Ostler.APITimeoutError)
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED' })
    expect((error as Error).message).toContain('ECONNREFUSED')
  })

  test('the client has less patience than the target needs', async () => {
    const { rig, client } = await start()
    const error = await failure(client.fetch(`${rig.target.url}/hang`, { timeoutMs: 200 }))
    expect(error).toBeInstanceOf(Ostler.APITimeoutError)
    expect(error).toBeInstanceOf(Ostler.APIConnectionError)
    expect(error).toMatchObject({ code: 'TIMEOUT', timeoutMs: 200 })
  })

  test('the caller gives up', async () => {
    const { rig, client } = await start()
    const controller = new AbortController()
    const { signal } = controller
    const call = client.fetch(`${rig.target.url}/hang`, { signal, idempotencyKey: null })
    const failed = failure(call)
    await until('the target is asked', () => rig.target.visits.length === 1)
    const reason = new Error('enough')
    controller.abort(reason)
    const error = await failed
    expect(error).toBeInstanceOf(Ostler.APIAbortError)
    expect((error as Error).cause).toBe(reason)
    // The gateway has noticed: the agent is free again.
    const url = rig.target.url
    await until('the agent is free', async () => {
      const { candidates } = (await client.debug.pick(url)) as unknown as {
        readonly candidates: readonly { readonly inFlight: number }[]
      }
      return candidates.every(({ inFlight }) => inFlight === 0)
    })
  })
})

describe('retries, against a gateway', () => {
  test('wait until the limit lets the call through', async () => {
    const tiers = { brief: { policies: [{ name: 'brief', limit: 1, windowMs: 1000 }] } }
    const { client } = await start({ tier: 'brief', tiers }, { maxRetries: 3 })
    const startMs = performance.now()
    for (let i = 0; i < 3; i++) await client.usage()
    expect(performance.now() - startMs).toBeGreaterThan(1900)
  })

  test('wait until an agent is back, and not longer', async () => {
    const { rig, client } = await start({ agents: 1 }, { maxRetries: 1 })
    await client.fetch(`${rig.target.url}/limited`)
    // 30 to 36 s: all but the last two pass at once.
    const { nextRecoveryAtMs } = await client.network.health('127.0.0.1')
    rig.later(Number(nextRecoveryAtMs) - Date.now() - 1500)
    const { meta } = await client.fetch(`${rig.target.url}/`)
    expect(meta).toMatchObject({ status: 200, blocked: false })
  })

  test('an answer that was lost is given again, and the target is asked once', async () => {
    const rig = await startRig()
    let losses = 0
    const client = clientOf(rig, {
      maxRetries: 2,
      // The request arrives; its answer does not.
      fetch: async (input, init) => {
        const response = await fetch(input, init)
        if (losses++ > 0) return response
        await response.body?.cancel()
        throw new TypeError('the connection was reset')
      },
    })
    const order = { method: 'POST', body: 'Oats' }
    const { data, response } = await client.fetch(`${rig.target.url}/echo`, order).withResponse()
    expect(response.headers.get('idempotent-replayed')).toBe('true')
    expect(JSON.parse(data.body)).toMatchObject({ method: 'POST' })
    expect(rig.target.visits).toHaveLength(1)
  })

  test('on a block, each goes through another agent', async () => {
    const seen = new Set<string>()
    const paths = {
      // It takes a third visitor to get in.
      '/picky': ({ from }: { readonly from: string }, response: ServerResponse) => {
        seen.add(from)
        response.setHeader('content-type', 'text/html; charset=utf-8')
        response.writeHead(seen.size < 3 ? 403 : 200).end(seen.size < 3 ? BLOCK_PAGE : 'Oats')
      },
    }
    const { rig, client } = await start({ agents: 4, paths })
    const url = `${rig.target.url}/picky`
    const { meta, body } = await client.fetch(url, { retryOnBlocked: 3 })
    expect([meta.blocked, body]).toEqual([false, 'Oats'])
    expect(rig.target.visits).toHaveLength(3)
    expect(seen.size).toBe(3)
  })

  test('where all agents were turned away, the last block is the answer', async () => {
    const { rig, client } = await start({ agents: 3 })
    const url = `${rig.target.url}/blocked`
    const { meta, body } = await client.fetch(url, { retryOnBlocked: 10 })
    expect([meta.blocked, body]).toEqual([true, BLOCK_PAGE])
    expect(rig.target.visits).toHaveLength(3)
  })
})

describe('what can be asked for', () => {
  test('a target: as it is, with where it was fetched from', async () => {
    const { rig, client } = await start({ agents: 4 })
    const url = new URL(`${rig.target.url}/echo?x=1`)
    const headers = { 'x-mine': 'yes' }
    const options = { method: 'PUT', headers, body: 'Oats', geo: 'FR', session: 's' }
    const { meta, body, encoding } = await client.fetch(url, options)
    expect([meta.status, meta.agent.country, encoding]).toEqual([200, 'FR', 'text'])
    const echo = JSON.parse(body)
    expect(echo).toMatchObject({ method: 'PUT', path: '/echo?x=1', headers })
    expect(Buffer.from(echo.body, 'base64').toString()).toBe('Oats')
    expect(echo.headers).not.toHaveProperty('authorization')
  })

  test("a target's own 404 is an answer", async () => {
    const { rig, client } = await start()
    expect((await client.fetch(`${rig.target.url}/nowhere`)).meta.status).toBe(404)
  })

  test('the usage of the key', async () => {
    const { rig, client } = await start()
    await client.fetch(`${rig.target.url}/`)
    const usage = await client.usage()
    expect(usage).toMatchObject({ total: 1, ok: 1, key: { tier: 'roomy' } })
    expect(usage.limits[0]).toMatchObject({ policy: 'roomy', used: 2 })
  })

  test('how a domain stands, and how that changes', async () => {
    const { rig, client } = await start()
    const domain = '127.0.0.1'
    expect((await client.network.health(domain)).counts.available).toBe(3)
    const seen: number[] = []
    for await (const { counts } of client.network.watch(domain)) {
      seen.push(counts.unavailable)
      if (counts.unavailable === 1) break
      await client.fetch(`${rig.target.url}/blocked`)
    }
    expect(seen).toEqual([0, 1])
    await untilNoStreams(client)
  })

  test('a watch ends with its signal, and with the gateway', async () => {
    const { rig, client } = await start()
    const controller = new AbortController()
    const reason = new Error('enough')
    const watch = async (signal?: AbortSignal): Promise<unknown> => {
      for await (const _ of client.network.watch('shop.example', { signal })) {
        controller.abort(reason)
      }
      return 'ended'
    }
    expect(await failure(watch(controller.signal))).toMatchObject({
      name: 'APIAbortError',
      cause: reason,
    })
    await untilNoStreams(client)
    const running = watch()
    await until('it is watched', async () => (await streams(client)) === 1)
    await rig.gateway.close()
    expect(await running).toBe('ended')
  })

  test('a watch whose key is revoked is told so', async () => {
    const { key, keys, revoke } = revocable()
    const { client } = await start({ keys }, { apiKey: key })
    const seen: number[] = []
    const error = await failure(
      (async () => {
        for await (const { counts } of client.network.watch('shop.example')) {
          seen.push(counts.available)
          revoke()
        }
      })(),
    )
    expect(error).toBeInstanceOf(Ostler.ForbiddenError)
    expect(error).toMatchObject({ status: 403, code: 'FORBIDDEN' })
    const { requestId, headers } = error as InstanceType<typeof Ostler.ForbiddenError>
    expect(requestId).toMatch(REQUEST_ID)
    expect(headers.get('x-request-id')).toBe(requestId)
    expect(seen).toHaveLength(1)
  }, 15_000)

  test('the agents: one page, all pages, and each agent of all pages', async () => {
    const agents = Array.from({ length: 25 }, (_, i) => ({ id: `a${i}`, country: 'DE' }))
    const { client } = await start({ agents })
    const first = await client.network.agents({ limit: 10 })
    expect([first.total, first.agents.length, first.next]).toEqual([25, 10, 10])
    const pages: number[] = []
    for await (const page of client.network.agents({ limit: 10 }).pages()) {
      pages.push(page.agents.length)
    }
    expect(pages).toEqual([10, 10, 5])
    const ids = new Set<string>()
    for await (const { id, country } of client.network.agents({ limit: 10, offset: 3 })) {
      ids.add(id)
      expect(country).toBe('DE')
    }
    expect(ids.size).toBe(22)
  })

  test('which agent would be picked', async () => {
    const { rig, client } = await start({ agents: 4 })
    const pick = await client.debug.pick(`${rig.target.url}/`, { geo: 'FR' })
    expect(pick).toMatchObject({ kind: 'picked', agent: { id: 'a2', country: 'FR' } })
    expect(rig.target.visits).toHaveLength(0)
  })

  test('the answer itself, with the data or without', async () => {
    const { client } = await start()
    const call = client.usage()
    const { data, response, requestId } = await call.withResponse()
    expect(requestId).toMatch(REQUEST_ID)
    expect(response.headers.get('x-ratelimit-limit')).toBe('100000')
    expect(await response.json()).toEqual(data)
    expect(await (await call.asResponse()).json()).toEqual(await call)
    expect(data.limits[0].used).toBe(1)
  })

  test('a promise of an answer does what promises do', async () => {
    const { client } = await start()
    let calls = 0
    const { total } = await client.usage().finally(() => calls++)
    expect([total, calls]).toEqual([0, 1])
    expect(await client.usage().then(({ key }) => key.tier)).toBe('roomy')
    expect(await client.fetch('').catch(() => 'caught')).toBe('caught')
    expect(client.usage()).toBeInstanceOf(Promise)
    const [usage] = await Promise.all([
      client.usage(),
      Promise.race([client.usage(), new Promise<never>(() => {})]),
    ])
    expect(usage.key.tier).toBe('roomy')
  })
})

async function streams(client: Ostler): Promise<number> {
  const { limits } = await client.usage()
  return limits.find(({ policy }) => policy === 'permits')?.used ?? 0
}

async function untilNoStreams(client: Ostler): Promise<void> {
  await until('no stream is open', async () => (await streams(client)) === 0)
}

/** A store that has lost its disk: nothing can be remembered any more. */
function failingStore(): ReturnType<typeof memoryStore> {
  const store = memoryStore()
  return Object.assign(Object.create(store) as typeof store, {
    begin: () => {
      throw new CoreError('STORE_UNAVAILABLE', 'disk I/O error')
    },
  })
}
