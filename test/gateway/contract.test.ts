import { ERRORS, HEADERS, type ApiErrorCode } from '@ostler/api'
import { expect, test } from 'vitest'
import { errorOf, makeKey, ringOf, startRig, type Answer, type Rig } from './rig/gateway.ts'
import { BLOCK_PAGE, page } from './rig/targets.ts'

/** What the gateway's contract says, line by line: each test bears the words of its line. */

const FORM = { error: { code: '', message: '', details: {} }, meta: { requestId: '' } }
const REQUEST_ID = /^req_[0-9a-f]{32}$/

function expectError(answer: Answer, status: number, code: ApiErrorCode): void {
  expect([answer.status, errorOf(answer)?.code]).toEqual([status, code])
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(Object.keys(answer.json)).toEqual(Object.keys(FORM))
  expect(Object.keys(answer.json.error)).toEqual(Object.keys(FORM.error))
}

/** How the target's domain stands. */
async function health(rig: Rig): Promise<Answer['json']> {
  return (await rig.ask('/network/health/127.0.0.1')).json
}

// ---- Error response format ------------------------------------------------------------------

test('All API errors return JSON', async () => {
  const rig = await startRig()
  const answers = [
    await rig.ask('/nowhere'),
    await rig.ask('/fetch', { key: null }),
    await rig.ask('/fetch', {
      method: 'POST',
      body: '{',
      headers: { 'content-type': 'text/json' },
    }),
    await rig.ask('/fetch', { body: { url: 'http://10.0.0.1/' } }),
    await rig.ask('/fetch', { body: { url: 5 } }),
  ]
  for (const answer of answers) {
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.headers.get('content-type')).toContain('json')
    expect(answer.json).not.toBeNull()
  }
})

test('200: Success, target response proxied (check meta.blocked for block detection)', async () => {
  const rig = await startRig()
  const answer = await rig.fetch('/')
  expect(answer.status).toBe(200)
  expect(answer.json.meta).toMatchObject({ status: 200, blocked: false })
  expect(answer.json.body).toContain('You come from 127.0.2.')
  const missing = await rig.fetch('/nowhere')
  expect([missing.status, missing.json.meta.status]).toEqual([200, 404])
})

test('401: Unauthorized, missing API key', async () => {
  const rig = await startRig()
  expectError(await rig.ask('/fetch', { key: null }), 401, 'UNAUTHORIZED')
  expect(rig.target.visits).toEqual([])
})

test('403: Forbidden, invalid API key', async () => {
  const rig = await startRig()
  const { key } = makeKey({ id: 'key_other' })
  expectError(await rig.ask('/fetch', { key }), 403, 'FORBIDDEN')
})

test('429: Rate limited; headers include Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining', async () => {
  const rig = await startRig({ tier: 'free' })
  for (let i = 0; i < 60; i++) expect((await rig.ask('/usage')).status).toBe(200)
  const answer = await rig.fetch('/')
  expectError(answer, 429, 'RATE_LIMITED')
  expect(answer.headers.get('x-ratelimit-limit')).toBe('60')
  expect(answer.headers.get('x-ratelimit-remaining')).toBe('0')
  const seconds = Number(answer.headers.get('retry-after'))
  expect(seconds).toBeGreaterThan(0)
  expect(seconds).toBeLessThanOrEqual(60)
  expect(rig.target.visits).toEqual([])
})

test('502: Bad gateway, no healthy agent available for this domain', async () => {
  const rig = await startRig({ agents: 1 })
  await rig.fetch('/blocked')
  const answer = await rig.fetch('/')
  expectError(answer, 502, 'NO_AGENT_AVAILABLE')
  expect(errorOf(answer).details).toMatchObject({ domain: '127.0.0.1', cause: 'all_excluded' })
  expect(rig.target.visits).toHaveLength(1)
})

test('504: Gateway timeout, target did not respond within timeout (default 30s)', async () => {
  const rig = await startRig()
  const startMs = performance.now()
  expectError(await rig.fetch('/hang', { timeout: 0.4 }), 504, 'TARGET_TIMEOUT')
  expect(performance.now() - startMs).toBeLessThan(5000)
  const { json } = await rig.ask('/openapi.json')
  const schema = json.paths['/fetch'].post.requestBody.content['application/json'].schema
  expect(schema.properties.timeout).toMatchObject({ default: 30, maximum: 300 })
})

// ---- Block detection ------------------------------------------------------------------------

test('Every fetch response includes a meta.blocked field', async () => {
  const rig = await startRig({ agents: 8 })
  const paths = ['/', '/nowhere', '/blocked', '/challenged', '/limited', '/broken', '/empty']
  const blocked = []
  for (const path of paths) blocked.push((await rig.fetch(path)).json.meta.blocked)
  expect(blocked).toEqual([false, false, true, true, true, false, false])
})

test('The agent that got blocked is automatically excluded for this domain', async () => {
  const rig = await startRig()
  const { id } = (await rig.fetch('/blocked')).json.meta.agent
  const { agents } = await health(rig)
  expect(agents).toEqual([expect.objectContaining({ id, health: 'unavailable' })])
  for (let i = 0; i < 10; i++) expect((await rig.fetch('/')).json.meta.agent.id).not.toBe(id)
})

test('Your next request will be routed to a different agent', async () => {
  const rig = await startRig({ agents: 6 })
  const exits: string[] = []
  for (let i = 0; i < 6; i++) {
    const { meta } = (await rig.fetch('/blocked')).json
    expect(meta.blocked).toBe(true)
    exits.push(meta.agent.id)
  }
  expect(new Set(exits).size).toBe(6)
  expect(new Set(rig.target.visits.map(({ from }) => from)).size).toBe(6)
})

test('The response still contains the full target body for your inspection', async () => {
  const long = page('Access denied', `Your network is blocked. ${'Really. '.repeat(5000)}`)
  const rig = await startRig({
    paths: { '/long': (_, response) => void response.writeHead(403).end(long) },
  })
  expect((await rig.fetch('/blocked')).json.body).toBe(BLOCK_PAGE)
  const answer = (await rig.fetch('/long')).json
  expect(answer.meta).toMatchObject({ blocked: true, status: 403 })
  expect(Buffer.from(answer.body, answer.encoding === 'base64' ? 'base64' : 'utf8')).toEqual(
    Buffer.from(long),
  )
})

test('Agents are available, limited (temporary), or unavailable (longer exclusion)', async () => {
  const rig = await startRig()
  await rig.fetch('/limited')
  await rig.fetch('/blocked')
  const { counts, agents } = await health(rig)
  expect(counts).toEqual({ available: 1, limited: 1, unavailable: 1 })
  const until = (state: string): number =>
    agents.find((agent: { health: string }) => agent.health === state).untilMs - Date.now()
  expect(until('limited')).toBeGreaterThan(25_000)
  expect(until('limited')).toBeLessThan(40_000)
  expect(until('unavailable')).toBeGreaterThan(290_000)
})

test('Agents recover automatically', async () => {
  const rig = await startRig({ agents: 1 })
  await rig.fetch('/limited')
  expect((await rig.fetch('/')).status).toBe(502)
  rig.later(40_000)
  expect((await rig.fetch('/')).status).toBe(200)
  await rig.fetch('/blocked')
  expect((await rig.fetch('/')).status).toBe(502)
  rig.later(400_000)
  expect((await rig.fetch('/')).status).toBe(200)
  expect((await health(rig)).counts).toEqual({ available: 1, limited: 0, unavailable: 0 })
})

// ---- Retry strategies -----------------------------------------------------------------------

test('Rate limit (429): use exponential backoff: wait 1s, 2s, 4s, etc.', async () => {
  const rig = await startRig({
    tier: 'brief',
    tiers: { brief: { policies: [{ name: 'brief', limit: 2, windowMs: 3000 }] } },
  })
  await rig.ask('/usage')
  await rig.ask('/usage')
  const statuses = []
  for (const waitMs of [0, 1000, 2000, 4000]) {
    rig.later(waitMs)
    statuses.push((await rig.fetch('/')).status)
  }
  expect(statuses.slice(0, 2)).toEqual([429, 429])
  expect(statuses.at(-1)).toBe(200)
})

test('Check GET /usage for your current rate limit status', async () => {
  const rig = await startRig({ tier: 'free' })
  await rig.fetch('/')
  await rig.fetch('/blocked')
  const { status, json } = await rig.ask('/usage')
  expect(status).toBe(200)
  expect(json.limits[0]).toMatchObject({ policy: 'free', limit: 60, used: 3, remaining: 57 })
  expect(json).toMatchObject({ total: 2, ok: 1, blocked: 1, failed: 0, successShare: 0.5 })
  expect(json.byProtocol).toEqual({ http: 2, ws: 0, amqp: 0 })
  expect(json.topDomains).toEqual([{ name: '127.0.0.1', count: 2 }])
})

test('Blocked (meta.blocked = true): no client-side retry needed, just keep making requests normally', async () => {
  // A shop that turns an agent away at its third visit.
  const visits = new Map<string, number>()
  const rig = await startRig({
    agents: 4,
    paths: {
      '/shop': ({ from }, response) => {
        const count = (visits.get(from) ?? 0) + 1
        visits.set(from, count)
        response.writeHead(count > 2 ? 403 : 200).end(count > 2 ? BLOCK_PAGE : 'Oats')
      },
    },
  })
  let served = 0
  for (let i = 0; i < 10; i++) {
    const { status, json } = await rig.fetch('/shop')
    expect(status).toBe(200)
    if (!json.meta.blocked) served++
  }
  expect(served).toBeGreaterThanOrEqual(7)
  expect(Math.max(...visits.values())).toBe(3)
})

test('Timeout (504): increase the timeout field in your POST body (default: 30 seconds)', async () => {
  const rig = await startRig()
  expectError(await rig.fetch('/slow', { timeout: 0.1 }), 504, 'TARGET_TIMEOUT')
  expect((await rig.fetch('/slow', { timeout: 10 })).status).toBe(200)
  expect((await rig.fetch('/slow')).status).toBe(200)
  expectError(await rig.fetch('/slow', { timeout: 301 }), 422, 'VALIDATION_ERROR')
})

test('Use X-Geo to pick agents geographically closer to the target', async () => {
  const rig = await startRig({ agents: 4 })
  for (const [geo, country] of [
    ['FR', 'FR'],
    ['JP', 'JP'],
    ['48.21,16.37', 'DE'],
  ]) {
    const { meta } = (await rig.fetch('/', {}, { headers: { 'x-geo': geo } })).json
    expect([geo, meta.agent.country]).toEqual([geo, country])
    expect(meta.distanceKm).toBeLessThan(800)
  }
})

test('Use GET /debug/pick?url=... to preview which agent would be selected', async () => {
  const rig = await startRig({ agents: 4 })
  const url = encodeURIComponent(`${rig.target.url}/`)
  const preview = await rig.ask(`/debug/pick?url=${url}&geo=FR`)
  expect(preview.status).toBe(200)
  expect(preview.json).toMatchObject({ kind: 'picked', agent: { id: 'a2', country: 'FR' } })
  expect((await rig.fetch('/', { geo: 'FR' })).json.meta.agent.id).toBe('a2')
  await rig.fetch('/blocked', { geo: 'FR' })
  expect((await rig.ask(`/debug/pick?url=${url}&geo=FR`)).json.agent.id).toBe('a1')
  expect(rig.target.visits).toHaveLength(2)
})

test('No agents available (502): all agents for this domain are temporarily excluded; wait a moment and retry', async () => {
  const rig = await startRig({ agents: 2 })
  await rig.fetch('/limited')
  await rig.fetch('/limited')
  const refused = await rig.fetch('/')
  expectError(refused, 502, 'NO_AGENT_AVAILABLE')
  const seconds = Number(refused.headers.get('retry-after'))
  expect(seconds).toBeGreaterThan(0)
  rig.later(seconds * 1000 - 2000)
  expect((await rig.fetch('/')).status).toBe(502)
  rig.later(2000)
  expect((await rig.fetch('/')).status).toBe(200)
})

test('Use GET /network/health/{domain} to check recovery status', async () => {
  const rig = await startRig({ agents: 2 })
  await rig.fetch('/blocked')
  await rig.fetch('/limited')
  const told = await health(rig)
  expect(told.domain).toBe('127.0.0.1')
  expect(told.counts).toEqual({ available: 0, limited: 1, unavailable: 1 })
  const first = Math.min(...told.agents.map(({ untilMs }: { untilMs: number }) => untilMs))
  expect(told.nextRecoveryAtMs).toBe(first)
  rig.later(400_000)
  expect((await health(rig)).counts.limited).toBe(0)
})

// ---- Common errors --------------------------------------------------------------------------

test('Missing target URL', async () => {
  const rig = await startRig()
  for (const answer of [
    await rig.ask('/fetch'),
    await rig.ask('/fetch', { body: {} }),
    await rig.ask('/fetch', { method: 'POST' }),
    await rig.ask('/fetch?url='),
    await rig.ask('/debug/pick'),
  ]) {
    expectError(answer, 400, 'MISSING_TARGET_URL')
  }
})

test('Invalid geo code', async () => {
  const rig = await startRig()
  for (const geo of ['Atlantis', 'DEU', 'XX', '91,0', 'DE;radius=x']) {
    const answer = await rig.fetch('/', { geo })
    expectError(answer, 400, 'INVALID_GEO')
    expect(errorOf(answer).message).toContain(geo)
  }
  expect(rig.target.visits).toEqual([])
})

// ---- Error response format of the SDK's page ------------------------------------------------

test('The API uses standard HTTP status codes and returns structured error responses', () => {
  for (const { status, title } of Object.values(ERRORS)) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(600)
    expect(title).not.toBe('')
  }
})

test('All errors follow the same structure', async () => {
  const rig = await startRig()
  for (const answer of [
    await rig.ask('/nowhere'),
    await rig.ask('/fetch'),
    await rig.fetch('/', { timeout: -1 }),
    await rig.fetch('/hang', { timeout: 0.2 }),
  ]) {
    expect(Object.keys(answer.json)).toEqual(['error', 'meta'])
    expect(Object.keys(answer.json.error)).toEqual(['code', 'message', 'details'])
    expect(Object.keys(answer.json.meta)).toEqual(['requestId'])
  }
})

test('error.code: machine-readable error code', async () => {
  const rig = await startRig()
  const { code } = errorOf(await rig.ask('/nowhere'))
  expect(code).toMatch(/^[A-Z][A-Z_]+$/)
  expect(Object.keys(ERRORS)).toContain(code)
})

test('error.message: human-readable description', async () => {
  const rig = await startRig()
  const { message } = errorOf(await rig.ask('/nowhere'))
  expect(message).toBe('there is no route GET /nowhere')
})

test('error.details: additional context (e.g., validation errors)', async () => {
  const rig = await startRig()
  const { details } = errorOf(await rig.fetch('/', { timeout: 0, attempts: 'x', nonsense: 1 }))
  const fields = details['fields'] as { path: string }[]
  expect(fields.map(({ path }) => path).sort()).toEqual([
    'body.attempts',
    'body.nonsense',
    'body.timeout',
  ])
})

test('meta.requestId: unique request ID for debugging', async () => {
  const rig = await startRig()
  const answers = [await rig.ask('/nowhere'), await rig.ask('/nowhere'), await rig.fetch('/')]
  const ids = answers.map(({ json, headers }) => {
    expect(headers.get('x-request-id')).toBe(json.meta.requestId)
    expect(json.meta.requestId).toMatch(REQUEST_ID)
    return json.meta.requestId
  })
  expect(new Set(ids).size).toBe(3)
})

test('400 BAD_REQUEST: invalid request parameters or body', async () => {
  const rig = await startRig()
  const headers = { 'content-type': 'application/json' }
  expectError(await rig.ask('/fetch', { body: '{"url":', headers }), 400, 'BAD_REQUEST')
})

test('401 UNAUTHORIZED: missing or invalid API key', async () => {
  const rig = await startRig()
  for (const key of [null, 'sesame', 'ak_live_', 'ak_prod_0123456789abcdef']) {
    expectError(await rig.ask('/usage', { key }), 401, 'UNAUTHORIZED')
  }
})

test('403 FORBIDDEN: not allowed to access this resource', async () => {
  const { key, stored } = makeKey({ id: 'key_old' })
  const rig = await startRig({ keys: ringOf({ stored: { ...stored, revokedAtMs: 2 } }) })
  expectError(await rig.ask('/usage', { key }), 403, 'FORBIDDEN')
})

test('403 INSUFFICIENT_SCOPE: API key missing required scope', async () => {
  const rig = await startRig({ scopes: ['usage'] })
  expectError(await rig.fetch('/'), 403, 'INSUFFICIENT_SCOPE')
  expect((await rig.ask('/usage')).status).toBe(200)
})

test('404 NOT_FOUND: resource not found', async () => {
  const rig = await startRig()
  expectError(await rig.ask('/network/agents/nobody', { method: 'DELETE' }), 404, 'NOT_FOUND')
})

test('409 CONFLICT: operation conflicts with existing data', async () => {
  const rig = await startRig({ paths: { '/huge': (_, r) => void r.end('x'.repeat(3_000_000)) } })
  const headers = { 'idempotency-key': 'too-large' }
  expect((await rig.fetch('/huge', {}, { headers })).status).toBe(200)
  expectError(await rig.fetch('/huge', {}, { headers }), 409, 'CONFLICT')
})

test('409 IDEMPOTENCY_KEY_REUSED: idempotency key used with different input', async () => {
  const rig = await startRig()
  const headers = { 'idempotency-key': 'once' }
  expect((await rig.fetch('/', {}, { headers })).status).toBe(200)
  expectError(await rig.fetch('/echo', {}, { headers }), 409, 'IDEMPOTENCY_KEY_REUSED')
  expect(rig.target.visits).toHaveLength(1)
})

test('422 VALIDATION_ERROR: request body fails validation', async () => {
  const rig = await startRig()
  expectError(await rig.fetch('/', { method: 'get' }), 422, 'VALIDATION_ERROR')
})

test('429 RATE_LIMITED: too many requests', async () => {
  const rig = await startRig({
    tier: 'one',
    tiers: { one: { policies: [{ name: 'one', limit: 1, windowMs: 60_000 }] } },
  })
  await rig.fetch('/')
  expectError(await rig.fetch('/'), 429, 'RATE_LIMITED')
})

test('500 INTERNAL_ERROR: something went wrong on our side', async () => {
  const keys = {
    find(): never {
      throw new Error('the secret of the ring')
    },
  }
  const rig = await startRig({ keys })
  const answer = await rig.fetch('/')
  expectError(answer, 500, 'INTERNAL_ERROR')
  expect(answer.text).not.toContain('secret')
})

test('Error handling: not found, rate limited (with what to wait for) and forbidden can be told apart', async () => {
  const rig = await startRig({
    scopes: ['admin'],
    tier: 'two',
    tiers: { two: { policies: [{ name: 'two', limit: 2, windowMs: 60_000 }] } },
  })
  const nonexistent = { method: 'DELETE' }
  expect(errorOf(await rig.ask('/network/agents/nonexistent', nonexistent)).code).toBe('NOT_FOUND')
  expect(errorOf(await rig.fetch('/')).code).toBe('INSUFFICIENT_SCOPE')
  const limited = await rig.fetch('/')
  expect(errorOf(limited).code).toBe('RATE_LIMITED')
  expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(ERRORS.RATE_LIMITED.retryable).toBe(true)
  expect(ERRORS.NOT_FOUND.retryable).toBe(false)
})

// ---- Rate limiting --------------------------------------------------------------------------

test('API requests are rate limited per API key using a sliding window', async () => {
  const tiers = { two: { policies: [{ name: 'two', limit: 2, windowMs: 60_000 }] } }
  const one = makeKey({ id: 'key_one', tier: 'two' })
  const other = makeKey({ id: 'key_other', tier: 'two' })
  const rig = await startRig({ keys: ringOf(one, other), tiers })
  const status = async (key: string): Promise<number> => (await rig.ask('/usage', { key })).status
  expect(await status(one.key)).toBe(200)
  rig.later(40_000)
  expect(await status(one.key)).toBe(200)
  expect(await status(one.key)).toBe(429)
  expect(await status(other.key)).toBe(200)
  // A minute after the first, and not after the second: no boundary lets twice the limit through.
  rig.later(20_500)
  expect(await status(one.key)).toBe(200)
  expect(await status(one.key)).toBe(429)
})

test('Tier Unauthenticated: 10 requests, 1 minute', async () => {
  const rig = await startRig()
  const statuses = []
  for (let i = 0; i < 11; i++) statuses.push((await rig.ask('/openapi.json', { key: null })).status)
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 429])
  rig.later(61_000)
  expect((await rig.ask('/openapi.json', { key: null })).status).toBe(200)
})

test.each(['Free', 'Starter'])('Tier %s: 60 requests, 1 minute', async (name) => {
  const rig = await startRig({ tier: name.toLowerCase() })
  for (let i = 0; i < 60; i++) expect((await rig.ask('/usage')).status).toBe(200)
  expectError(await rig.ask('/usage'), 429, 'RATE_LIMITED')
  rig.later(61_000)
  expect((await rig.ask('/usage')).status).toBe(200)
})

test('Every response includes rate limit headers', async () => {
  const rig = await startRig({ tier: 'free' })
  const headers = { 'idempotency-key': 'again' }
  for (const answer of [
    await rig.fetch('/'),
    await rig.fetch('/', {}, { headers }),
    await rig.fetch('/', {}, { headers }),
    await rig.ask('/usage'),
    await rig.ask('/fetch'),
    await rig.fetch('/', { timeout: 'x' }),
    await rig.ask('/nowhere'),
    await rig.ask('/fetch', { key: null }),
    await rig.ask('/openapi.json'),
  ]) {
    for (const name of [HEADERS.limit, HEADERS.remaining, HEADERS.reset]) {
      expect(answer.headers.get(name), `${name} of ${answer.text}`).toMatch(/^\d+$/)
    }
  }
})

test('X-RateLimit-Limit: maximum requests allowed in the window', async () => {
  const rig = await startRig({ tier: 'free' })
  expect((await rig.ask('/usage')).headers.get('X-RateLimit-Limit')).toBe('60')
  expect((await rig.ask('/nowhere')).headers.get('X-RateLimit-Limit')).toBe('10')
})

test('X-RateLimit-Remaining: requests remaining in the current window', async () => {
  const rig = await startRig({ tier: 'free' })
  const left = []
  for (let i = 0; i < 3; i++) {
    left.push((await rig.ask('/usage')).headers.get('X-RateLimit-Remaining'))
  }
  expect(left).toEqual(['59', '58', '57'])
})

test('X-RateLimit-Reset: Unix timestamp when the window resets', async () => {
  const rig = await startRig({ tier: 'free' })
  const reset = Number((await rig.ask('/usage')).headers.get('X-RateLimit-Reset'))
  const inSeconds = reset - Date.now() / 1000
  expect(inSeconds).toBeGreaterThan(55)
  expect(inSeconds).toBeLessThanOrEqual(61)
})

test('Retry-After: seconds to wait (only on 429 responses)', async () => {
  const rig = await startRig({
    tier: 'one',
    tiers: { one: { policies: [{ name: 'one', limit: 1, windowMs: 5000 }] } },
  })
  expect((await rig.ask('/usage')).headers.get('retry-after')).toBeNull()
  const seconds = Number((await rig.ask('/usage')).headers.get('retry-after'))
  expect(seconds).toBeGreaterThan(0)
  rig.later(seconds * 1000)
  expect((await rig.ask('/usage')).status).toBe(200)
})

test('Handling rate limits: who repeats after Retry-After, 3 times at most, is served', async () => {
  const rig = await startRig({
    tier: 'one',
    tiers: { one: { policies: [{ name: 'one', limit: 1, windowMs: 5000 }] } },
  })
  for (let i = 0; i < 4; i++) {
    let answer = await rig.fetch('/')
    for (let retries = 0; answer.status === 429 && retries < 3; retries++) {
      rig.later(Number(answer.headers.get('retry-after')) * 1000)
      answer = await rig.fetch('/')
    }
    expect(answer.status).toBe(200)
  }
})
