import { inspect } from 'node:util'
import { Ostler, type CallOptions, type ClientOptions } from '@ostler/client'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { fine, hang, scripted } from './rig/script.ts'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.unstubAllGlobals()
})

const KEY = 'ak_test_0123456789abcdef'

function problemOf(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(Ostler.OstlerError)
    expect((error as { readonly code: string }).code).toBe('INVALID_OPTIONS')
    return (error as Error).message
  }
  throw new Error('it was taken')
}

async function requested(
  options: ClientOptions,
  ask: (client: Ostler) => PromiseLike<unknown> = (client) => client.usage(),
): Promise<Request> {
  const { client, runtime, attempts } = scripted([fine], options)
  await runtime.settle(ask(client))
  return attempts[0].request
}

describe('the client', () => {
  test('names every problem of its options at once, and shows no key', () => {
    const options = {
      apiKey: 'ak_test_hush\n',
      baseUrl: 'ftp://gateway.example',
      maxRetries: -1,
      timeoutMs: 0,
      totalTimeoutMs: 1.5,
      maxRetryDelayMs: Number.NaN,
      maxAnswerBytes: 1,
    }
    const said = problemOf(() => new Ostler(options))
    for (const name of Object.keys(options)) expect(said).toContain(`${name} must`)
    expect(said).toContain('must be an integer from 0 to 100, got -1')
    expect(said).not.toContain('hush')
  })

  test('knows no other options: what is misspelt is told', () => {
    const options = { apiKey: KEY, timeout: 30_000, maxRetry: 1 } as ClientOptions
    const said = problemOf(() => new Ostler(options))
    expect(said).toContain('timeout is no option: there are apiKey,')
    expect(said).toContain('maxRetry is no option')
  })

  test('shows no credentials of a place that is none', () => {
    const baseUrl = 'ftp://user:hush@gateway.example'
    expect(problemOf(() => new Ostler({ apiKey: KEY, baseUrl }))).not.toContain('hush')
  })

  test('takes key and place from the environment, where they are not given', async () => {
    vi.stubEnv('OSTLER_API_KEY', 'ak_test_of_the_environment')
    vi.stubEnv('OSTLER_BASE_URL', 'http://there.example/ostler')
    const none = { apiKey: undefined, baseUrl: undefined }
    const request = await requested(none)
    expect(request.url).toBe('http://there.example/ostler/usage')
    expect(request.headers.get('authorization')).toBe('Bearer ak_test_of_the_environment')
    const given = await requested({ apiKey: KEY, baseUrl: 'http://here.example' })
    expect(given.url).toBe('http://here.example/usage')
    expect(given.headers.get('authorization')).toBe(`Bearer ${KEY}`)
  })

  test('says what is missing where there is no key at all', () => {
    for (const none of [undefined, '']) {
      vi.stubEnv('OSTLER_API_KEY', none)
      expect(problemOf(() => new Ostler())).toContain('OSTLER_API_KEY')
    }
  })

  test.each([undefined, ''])('is at home on this machine where the place is %j', async (place) => {
    vi.stubEnv('OSTLER_BASE_URL', place)
    expect((await requested({ baseUrl: undefined })).url).toBe('http://127.0.0.1:8080/usage')
  })

  test.each([
    ['http://gateway.example', 'http://gateway.example/usage'],
    ['https://gateway.example:8443/', 'https://gateway.example:8443/usage'],
    ['http://gateway.example/a/b//', 'http://gateway.example/a/b/usage'],
  ])('is at %s', async (baseUrl, url) => {
    expect((await requested({ baseUrl })).url).toBe(url)
  })

  test.each([
    '',
    'gateway',
    '/x',
    'http://u:p@gateway.example',
    'http://g.example/?a',
    'http://g.example/#a',
  ])('cannot be at %j', (baseUrl) => {
    expect(problemOf(() => new Ostler({ apiKey: KEY, baseUrl }))).toContain('baseUrl')
  })

  test('uses the fetch that is there when it is needed', async () => {
    const client = new Ostler({ apiKey: KEY, maxRetries: 0 })
    vi.stubGlobal('fetch', () => Promise.reject(new Error('the other fetch')))
    await expect(client.usage()).rejects.toThrow('the other fetch')
  })

  test('runs where there is no process', async () => {
    vi.stubGlobal('process', undefined)
    expect(() => new Ostler({ apiKey: KEY })).not.toThrow()
  })
})

describe('a request', () => {
  test('has the headers of the client and of the call, and never another key', async () => {
    const headers = { 'x-team': 'oats', authorization: 'Bearer other' }
    const request = await requested({ headers }, (client) =>
      client.usage({ headers: { 'x-team': 'hay', 'x-trace': '1' } }),
    )
    expect(request.headers.get('x-team')).toBe('hay')
    expect(request.headers.get('x-trace')).toBe('1')
    expect(request.headers.get('authorization')).toBe(`Bearer ${KEY}`)
    expect(request.headers.get('accept')).toBe('application/json')
    expect(request.headers.get('idempotency-key')).toBeNull()
  })

  test('has one value of each header, however its name is written', async () => {
    const headers = { 'X-Team': 'oats', Accept: 'application/problem+json' }
    const request = await requested({ headers }, (client) =>
      client.usage({ headers: { 'x-team': 'hay' } }),
    )
    expect(request.headers.get('x-team')).toBe('hay')
    expect(request.headers.get('accept')).toBe('application/problem+json')
  })

  test.each([
    ['x-team', 'hush\nhush'],
    ['x team', 'hush'],
  ])('whose header %j cannot be sent is not sent, and its value not shown', async (name, value) => {
    const { client, runtime, attempts } = scripted([fine])
    const result = await runtime.settle(client.usage({ headers: { [name]: value } }))
    if (result.status === 'fulfilled') throw new Error('it did not fail')
    expect(result.reason).toMatchObject({ name: 'OstlerError', code: 'INVALID_REQUEST' })
    expect(inspect(result.reason, { depth: 9, showHidden: true })).not.toContain('hush')
    expect(String(result.reason)).toContain(name)
    expect(attempts).toEqual([])
  })

  test.each([
    [255, 0, 1],
    [256, 0, 0],
    [253, 9, 1],
    [254, 9, 0],
    [252, 10, 1],
    [253, 10, 0],
  ])('with a key of %d characters and %d retries on a block: %d', async (length, n, sent) => {
    const { client, runtime, attempts } = scripted([fine])
    const options = { idempotencyKey: 'k'.repeat(length), retryOnBlocked: n }
    const result = await runtime.settle(client.fetch('http://shop.example/', options))
    expect(attempts).toHaveLength(sent)
    if (sent === 0) expect(result).toMatchObject({ reason: { code: 'INVALID_REQUEST' } })
  })

  test('of a target keeps its headers from those for the gateway', async () => {
    const request = await requested({}, (client) =>
      client.fetch('http://shop.example/', {
        headers: { 'x-for': 'the target' },
        gatewayHeaders: { 'x-for': 'the gateway' },
        signal: new AbortController().signal,
        retryOnBlocked: 1,
        geo: 'DE',
        timeoutMs: 5,
      }),
    )
    expect(request.headers.get('x-for')).toBe('the gateway')
    // What is for the call stays here.
    expect(await request.json()).toEqual({
      url: 'http://shop.example/',
      geo: 'DE',
      headers: { 'x-for': 'the target' },
    })
  })

  test('names what is asked for, whatever it is', async () => {
    const health = await requested({}, (client) => client.network.health('a/b?c#d', { limit: 5 }))
    expect(health.url).toBe('http://gateway.example/network/health/a%2Fb%3Fc%23d?limit=5')
    const pick = await requested({}, (client) =>
      client.debug.pick('http://shop.example/?a=1&b=2', { geo: 'DE;strict' }),
    )
    expect(new URL(pick.url).searchParams.get('url')).toBe('http://shop.example/?a=1&b=2')
    expect(new URL(pick.url).searchParams.get('geo')).toBe('DE;strict')
  })

  test('has an idempotency key of its own, or the one that is given', async () => {
    const keys = new Set<string | null>()
    for (let i = 0; i < 20; i++) {
      const { headers } = await requested({}, (client) => client.fetch('http://shop.example/'))
      keys.add(headers.get('idempotency-key'))
    }
    expect(keys.size).toBe(20)
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/)
    const given = await requested({}, (client) =>
      client.fetch('http://shop.example/', { idempotencyKey: 'order-17' }),
    )
    expect(given.headers.get('idempotency-key')).toBe('order-17')
  })

  test.each<[string, CallOptions]>([
    ['a header that is none', { headers: { 'no header': 'x' } }],
    ['a header of two lines', { headers: { 'x-a': 'b\nc' } }],
    ['half a retry', { maxRetries: 0.5 }],
    ['a time-out beyond all timers', { timeoutMs: 2 ** 31 }],
    ['no time at all', { totalTimeoutMs: 0 }],
  ])('with %s is not sent', async (_, options) => {
    const { client, runtime, attempts } = scripted([fine])
    const result = await runtime.settle(client.usage(options))
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'INVALID_REQUEST' } })
    expect(attempts).toEqual([])
  })

  test('with half a retry on a block is not sent', async () => {
    const { client, runtime, attempts } = scripted([fine])
    const call = client.fetch('http://shop.example/', { retryOnBlocked: 1.5 })
    const result = await runtime.settle(call)
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'INVALID_REQUEST' } })
    expect(attempts).toEqual([])
  })

  test('with what JSON cannot hold is not sent', async () => {
    const { client, runtime, attempts } = scripted([fine])
    const headers = { n: 1n }
    const asked = { url: 'amqp://b.example', routingKey: 'q', body: 'x', properties: { headers } }
    const result = await runtime.settle(client.amqp.publish(asked))
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'INVALID_REQUEST' } })
    expect(attempts).toEqual([])
  })
})

describe('the time of an attempt', () => {
  test.each([
    ['a minute', {}, {}, 60_000],
    ['what the client says', { timeoutMs: 5_000 }, {}, 5_000],
    ['what the call says', { timeoutMs: 5_000 }, { timeoutMs: 700 }, 700],
    ['more than the target is given', {}, { timeout: 120 }, 130_000],
    ['a minute, where the target is given less', {}, { timeout: 5 }, 60_000],
    [
      'what the client says, whatever the target is given',
      { timeoutMs: 5_000 },
      { timeout: 120 },
      5_000,
    ],
  ])('is %s', async (_, options, call, ms) => {
    const { client, runtime } = scripted([hang], { maxRetries: 0, ...options })
    const result = await runtime.settle(client.fetch('http://shop.example/', call))
    expect(result).toMatchObject({ reason: { name: 'APITimeoutError', timeoutMs: ms } })
    expect(runtime.passedMs).toBe(ms)
  })
})
