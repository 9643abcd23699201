import { setTimeout } from 'node:timers/promises'
import { brotliCompressSync, deflateSync } from 'node:zlib'
import { memoryStore } from '@ostler/core'
import { expect, test } from 'vitest'
import { until } from '../servers/until.ts'
import { closing } from './rig/closing.ts'
import { errorOf, startRig, type Answer, type Rig } from './rig/gateway.ts'
import { serve } from './rig/sockets.ts'
import { BLOCK_PAGE, html, redirect, startTarget, type Behaviour } from './rig/targets.ts'

/** What the target's `/echo` says of the request that it was sent. */
function echoed({ json }: Answer): { method: string; path: string; headers: never; body: string } {
  return JSON.parse(json.body)
}

/** Of the agent's slots, those that are taken. */
async function inFlight(rig: Rig): Promise<number> {
  const { text } = await rig.ask('/metrics')
  return Number(/^ostler_in_flight (\d+)/m.exec(text)?.[1])
}

/** Blocks all exits but one. */
function only(exit: string): Behaviour {
  return ({ from }, response) => {
    if (from === exit) html(response, 200, 'Oats')
    else html(response, 403, BLOCK_PAGE)
  }
}

// ---- how a target is named ------------------------------------------------------------------

test('the target is named in the body, in X-Target-URL or in the query', async () => {
  const rig = await startRig()
  const url = `${rig.target.url}/echo`
  const headers = { 'x-target-url': url }
  const named = [
    await rig.ask('/fetch', { body: { url } }),
    await rig.ask('/fetch', { method: 'POST', headers }),
    await rig.ask(`/fetch?url=${encodeURIComponent(url)}`, { method: 'POST' }),
    await rig.ask(`/fetch?url=${encodeURIComponent(url)}`),
    await rig.ask('/fetch', { headers }),
  ]
  for (const answer of named) expect(echoed(answer)).toMatchObject({ method: 'GET', path: '/echo' })
})

test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE'])(
  'a target is asked by %s with headers and a body',
  async (method) => {
    const rig = await startRig()
    const answer = await rig.fetch('/echo', {
      method,
      headers: { 'X-Custom': 'yes', accept: 'text/plain' },
      ...(method !== 'GET' && { body: 'caf\u00e9' }),
    })
    expect(echoed(answer)).toMatchObject({
      method,
      headers: { 'x-custom': 'yes', accept: 'text/plain' },
      body: method === 'GET' ? '' : Buffer.from('caf\u00e9').toString('base64'),
    })
  },
)

test.each(['CONNECT', 'TRACE', 'TRACK'])('%s is not for targets', async (method) => {
  const rig = await startRig()
  const answer = await rig.fetch('/', { method })
  expect([answer.status, errorOf(answer).code]).toEqual([400, 'BAD_REQUEST'])
  expect(rig.target.visits).toEqual([])
})

test('a body of bytes is sent as base64 says', async () => {
  const rig = await startRig()
  const body = Buffer.from([0, 255, 128, 10]).toString('base64')
  const answer = await rig.fetch('/echo', { method: 'PUT', body, encoding: 'base64' })
  expect(echoed(answer).body).toBe(body)
})

test('nothing that is for the gateway reaches a target', async () => {
  const rig = await startRig()
  const headers = { 'x-session': 's', 'x-geo': 'DE', 'x-forwarded-for': '198.51.100.1' }
  await rig.fetch(
    '/echo',
    { headers: { ...headers, Authorization: `Bearer ${rig.key}` } },
    { headers },
  )
  await rig.fetch('/echo', { headers: { authorization: 'Bearer of the target', cookie: 'a=1' } })
  const [first, second] = rig.target.visits
  expect(Object.keys(first.headers).sort()).toEqual(['accept-encoding', 'connection', 'host'])
  expect(second.headers).toMatchObject({ authorization: 'Bearer of the target', cookie: 'a=1' })
})

// ---- what is answered -----------------------------------------------------------------------

test('a session keeps its agent, and one that is blocked loses it', async () => {
  const rig = await startRig({ agents: 6 })
  const agentOf = async (path: string, session: string): Promise<string> =>
    (await rig.fetch(path, {}, { headers: { 'x-session': session } })).json.meta.agent.id
  const first = await agentOf('/', 'basket-1')
  for (let i = 0; i < 8; i++) expect(await agentOf('/', 'basket-1')).toBe(first)
  expect(await agentOf('/blocked', 'basket-1')).toBe(first)
  const second = await agentOf('/', 'basket-1')
  expect(second).not.toBe(first)
  expect(await agentOf('/', 'basket-1')).toBe(second)
})

test.each<[string, object]>([
  ['/gzip', { body: 'pressed', encoding: 'text' }],
  ['/latin1', { body: 'caf\u00e9', encoding: 'text' }],
  ['/mislabelled', { body: Buffer.from([0x63, 0xe9]).toString('base64'), encoding: 'base64' }],
  ['/picture', { body: 'iVBORwD/', encoding: 'base64' }],
  ['/empty', { body: '', encoding: 'text' }],
  ['/stream', { body: 'one two three', encoding: 'text' }],
])('the body of %s is told without loss', async (path, told) => {
  const rig = await startRig()
  expect((await rig.fetch(path)).json).toMatchObject(told)
})

test('brotli and deflate are undone, what is unknown is left as it is', async () => {
  const answers =
    (encoding: string, body: Buffer): Behaviour =>
    (_, response) => {
      response.setHeader('content-encoding', encoding)
      response.setHeader('content-type', 'text/plain')
      response.end(body)
    }
  const rig = await startRig({
    paths: {
      '/br': answers('br', brotliCompressSync('pressed')),
      '/deflate': answers('deflate', deflateSync('pressed')),
      '/odd-encoding': answers('rot13', Buffer.from('cerffrq')),
      '/false': answers('gzip', Buffer.from('no gzip at all')),
    },
  })
  expect((await rig.fetch('/br')).json.body).toBe('pressed')
  expect((await rig.fetch('/deflate')).json.body).toBe('pressed')
  const odd = (await rig.fetch('/odd-encoding')).json
  expect([odd.body, odd.headers['content-encoding']]).toEqual(['cerffrq', 'rot13'])
  const broken = await rig.fetch('/false')
  expect([broken.status, errorOf(broken).details]).toEqual([
    502,
    { by: 'target', reason: 'encoding' },
  ])
})

test('a body that is longer than is kept is cut, and says so', async () => {
  const rig = await startRig({ maxResponseBytes: 4096 })
  const { meta, body } = (await rig.fetch('/large')).json
  expect([meta.truncated, body.length]).toEqual([true, 4096])
  expect((await rig.fetch('/')).json.meta.truncated).toBeUndefined()
})

test('an answer to HEAD has headers and no body', async () => {
  const rig = await startRig()
  const { json } = await rig.fetch('/latin1', { method: 'HEAD' })
  expect(json).toMatchObject({ body: '', meta: { status: 200 } })
  expect(json.headers['content-type']).toContain('iso-8859-1')
})

test('headers that came more than once are all told, and none that was for one hop', async () => {
  const rig = await startRig()
  const { headers } = (await rig.fetch('/odd')).json
  expect(headers['set-cookie']).toEqual(['a=1', 'b=2'])
  expect(Object.keys(headers).sort()).toEqual(
    expect.not.arrayContaining(['connection', 'x-hop', 'proxy-authenticate']),
  )
})

test('rules of our own say what a block is', async () => {
  const rules = [
    { outcome: 'blocked', confidence: 0.9, vendor: 'ours', body: ['no oats'] },
  ] as const
  const says =
    (text: string): Behaviour =>
    (_, response) =>
      html(response, 200, text)
  const rig = await startRig({ rules, paths: { '/shop': says('Sorry, no oats for you') } })
  const { meta } = (await rig.fetch('/shop')).json
  expect(meta).toMatchObject({ status: 200, blocked: true, outcome: 'blocked', vendor: 'ours' })
  expect((await rig.fetch('/')).json.meta.blocked).toBe(false)
})

// ---- attempts -------------------------------------------------------------------------------

test('attempts are made elsewhere until one is not turned away', async () => {
  const rig = await startRig({ agents: 4, paths: { '/picky': only('127.0.2.3') } })
  const { meta } = (await rig.fetch('/picky', { attempts: 4, geo: 'JP' })).json
  expect(meta).toMatchObject({ blocked: false, agent: { id: 'a3' } })
  expect(meta.attempts).toBe(rig.target.visits.length)
  const exits = rig.target.visits.map(({ from }) => from)
  expect(new Set(exits).size).toBe(exits.length)
})

test('one attempt is made unless more are asked for', async () => {
  const rig = await startRig({ agents: 4 })
  expect((await rig.fetch('/blocked')).json.meta).toMatchObject({ blocked: true, attempts: 1 })
  expect(rig.target.visits).toHaveLength(1)
})

test('a method that is not idempotent is sent once, whatever is asked for', async () => {
  const rig = await startRig({ agents: 4 })
  const answer = await rig.fetch('/blocked', { method: 'POST', attempts: 4 })
  expect(answer.json.meta).toMatchObject({ blocked: true, attempts: 1 })
  expect(rig.target.visits).toHaveLength(1)
})

test('when every attempt is turned away the last answer is told', async () => {
  const rig = await startRig({ agents: 2 })
  const { status, json } = await rig.fetch('/blocked', { attempts: 5 })
  expect([status, json.meta.blocked, json.body]).toEqual([200, true, BLOCK_PAGE])
  expect(rig.target.visits).toHaveLength(2)
})

test('an agent that fails is passed over by another attempt, and is charged itself', async () => {
  const dead = await serve((socket) => socket.destroy())
  const good = await startRig()
  const agents = [{ id: 'dead', country: 'FR', url: `http://127.0.0.1:${dead.port}` }]
  const rig = await startRig({ agents: [...agents, ...(good.agents as never[]).slice(0, 1)] })
  let attempts = 0
  for (let i = 0; i < 6; i++) {
    const { status, json } = await rig.fetch('/', { attempts: 2, geo: 'FR' })
    expect(status).toBe(200)
    attempts = Math.max(attempts, json.meta.attempts)
  }
  expect(attempts).toBe(2)
  const { agents: told } = (await rig.ask('/network/health/127.0.0.1')).json
  expect(told).toMatchObject([{ id: 'dead', reason: 'agent_error' }])
})

test('the time-out is for all attempts together', async () => {
  const hang: Behaviour = async (_, response) => {
    await setTimeout(400)
    html(response, 403, BLOCK_PAGE)
  }
  const rig = await startRig({ agents: 4, paths: { '/tarpit': hang } })
  const startMs = performance.now()
  const answer = await rig.fetch('/tarpit', { attempts: 4, timeout: 0.6 })
  expect(errorOf(answer).code).toBe('TARGET_TIMEOUT')
  expect(performance.now() - startMs).toBeLessThan(2000)
  expect(rig.target.visits.length).toBeLessThanOrEqual(2)
})

test('an answer that never ends is ended by the time-out', async () => {
  const rig = await startRig()
  const answer = await rig.fetch('/drip', { timeout: 1 })
  expect([answer.status, errorOf(answer).details['reason']]).toEqual([504, 'body'])
})

// ---- redirects ------------------------------------------------------------------------------

test('a redirect is an answer unless it is to be followed', async () => {
  const rig = await startRig({ paths: { '/moved': redirect(302, '/echo') } })
  const { meta, headers } = (await rig.fetch('/moved')).json
  expect([meta.status, headers.location]).toEqual([302, '/echo'])
  const followed = (await rig.fetch('/moved', { redirect: 'follow' })).json
  expect(followed.meta).toMatchObject({ status: 200, url: `${rig.target.url}/echo`, attempts: 2 })
})

test('a URL that was only written otherwise was not redirected', async () => {
  const rig = await startRig()
  const { origin } = new URL(rig.target.url)
  const { meta } = (await rig.ask('/fetch', { body: { url: origin, redirect: 'follow' } })).json
  expect([meta.status, Object.keys(meta).includes('url')]).toEqual([200, false])
})

test('the hops of one request go through one agent', async () => {
  const paths = { '/a': redirect(302, '/b'), '/b': redirect(302, '/c'), '/c': redirect(302, '/') }
  const rig = await startRig({ agents: 6, paths })
  await rig.fetch('/a', { redirect: 'follow' })
  expect(new Set(rig.target.visits.map(({ from }) => from)).size).toBe(1)
})

test('each hop is checked: a redirect to a private address is refused', async () => {
  const rig = await startRig({
    allowTargets: ['127.0.0.1'],
    paths: {
      '/inward': redirect(302, 'http://169.254.169.254/latest/meta-data'),
      '/beside': redirect(302, 'http://127.0.0.2/'),
      '/named': redirect(302, 'http://router.lan/'),
      '/file': redirect(302, 'file:///etc/passwd'),
      '/broker': redirect(302, 'amqp://127.0.0.1/'),
    },
  })
  const codeOf = async (path: string): Promise<unknown> =>
    errorOf(await rig.fetch(path, { redirect: 'follow' })).code
  expect(await codeOf('/inward')).toBe('TARGET_FORBIDDEN')
  expect(await codeOf('/beside')).toBe('TARGET_FORBIDDEN')
  expect(await codeOf('/named')).toBe('TARGET_FORBIDDEN')
  // The caller's own URL was good: what is wrong with this one is the target's doing.
  expect(await codeOf('/file')).toBe('BAD_GATEWAY')
  expect(await codeOf('/broker')).toBe('BAD_GATEWAY')
})

test('a failure behind a redirect says how many were followed', async () => {
  const rig = await startRig({
    paths: { '/a': redirect(302, '/b'), '/b': redirect(302, 'ftp://x/') },
  })
  const error = errorOf(await rig.fetch('/a', { redirect: 'follow' }))
  expect(error.details).toEqual({ by: 'target', redirects: 2 })
  expect(errorOf(await rig.fetch('/hang', { redirect: 'follow', timeout: 0.3 })).details).toEqual({
    by: 'timeout',
    reason: 'headers',
  })
})

test('attempts are made elsewhere behind a redirect as well', async () => {
  let refusals = 2
  const rig = await startRig({
    agents: 4,
    paths: {
      '/moved': redirect(302, '/shop'),
      '/shop': (_, response) => void response.writeHead(refusals-- > 0 ? 403 : 200).end('Oats'),
    },
  })
  const { meta } = (await rig.fetch('/moved', { redirect: 'follow', attempts: 3 })).json
  expect(meta).toMatchObject({ status: 200, blocked: false, attempts: 4 })
  const [moved, first, second, third] = rig.target.visits.map(({ from }) => from)
  expect(first).toBe(moved)
  expect(new Set([first, second, third]).size).toBe(3)
})

test('a URL that looks like a challenge excludes nobody: its caller chose it', async () => {
  const rig = await startRig({ agents: 1 })
  const { meta } = (await rig.fetch('/?next=https://consent.google.com/&also=/showcaptcha?')).json
  expect(meta).toMatchObject({ status: 200, blocked: false, outcome: 'ok' })
})

test('credentials stay with the origin that they were for', async () => {
  const other = await startTarget({}, '127.0.0.2')
  const rig = await startRig({
    paths: { '/here': redirect(307, '/echo'), '/there': redirect(307, `${other.url}/echo`) },
  })
  const headers = { authorization: 'Bearer mine', Cookie: 'a=1', 'x-custom': 'yes' }
  await rig.fetch('/here', { redirect: 'follow', headers })
  await rig.fetch('/there', { redirect: 'follow', headers })
  expect(rig.target.visits[1].headers).toMatchObject({
    authorization: 'Bearer mine',
    cookie: 'a=1',
  })
  const [there] = other.visits
  expect(there.headers).toMatchObject({ 'x-custom': 'yes' })
  expect(Object.keys(there.headers)).not.toContain('authorization')
  expect(Object.keys(there.headers)).not.toContain('cookie')
})

test.each([
  [301, 'POST', 'GET', ''],
  [302, 'POST', 'GET', ''],
  [303, 'PUT', 'GET', ''],
  [303, 'HEAD', 'HEAD', ''],
  [307, 'POST', 'POST', 'b25l'],
  [308, 'PUT', 'PUT', 'b25l'],
])('a %i to a %s becomes a %s', async (status, method, becomes, body) => {
  const rig = await startRig({ paths: { '/moved': redirect(status, '/echo') } })
  const headers = { 'content-type': 'text/plain' }
  const sent = method === 'HEAD' ? {} : { body: 'one', headers }
  await rig.fetch('/moved', { method, redirect: 'follow', ...sent })
  const [, second] = rig.target.visits
  expect([second.method, second.body.toString('base64')]).toEqual([becomes, body])
  expect('content-type' in second.headers).toBe(body !== '')
})

test('where a target sends whom it turns away is not followed', async () => {
  const rules = [{ outcome: 'challenged', confidence: 0.9, url: '/prove-it' }] as const
  const rig = await startRig({ rules, paths: { '/shop': redirect(302, '/prove-it') } })
  const { meta } = (await rig.fetch('/shop', { redirect: 'follow' })).json
  expect(meta).toMatchObject({ status: 302, blocked: true, attempts: 1 })
  expect(rig.target.visits).toHaveLength(1)
})

test('a circle of redirects ends', async () => {
  const rig = await startRig({ paths: { '/round': redirect(302, '/round') } })
  const answer = await rig.fetch('/round', { redirect: 'follow' })
  expect([answer.status, errorOf(answer).code]).toEqual([502, 'BAD_GATEWAY'])
  expect(rig.target.visits).toHaveLength(11)
})

// ---- leaving and closing --------------------------------------------------------------------

test('a caller who goes away frees the agent, and nothing is held against it', async () => {
  const lines: string[] = []
  const logTo = { write: (line: string) => void lines.push(line) }
  const rig = await startRig({ agents: [], maxInFlight: 1, log: 'warn', logTo })
  const { startAgents } = await import('./rig/agents.ts')
  const [{ asked: _asked, ...agent }] = await startAgents(1)
  await rig.gateway.scheduler.agents.upsert([{ ...agent, maxConcurrency: 1 }])
  const leaves = new AbortController()
  const gone = rig.fetch('/hang', {}, { signal: leaves.signal }).catch(() => null)
  await until('the target is asked', () => rig.target.visits.length === 1)
  leaves.abort()
  await gone
  for (let tries = 0; (await inFlight(rig)) > 0; tries++) {
    expect(tries).toBeLessThan(100)
    await setTimeout(20)
  }
  expect((await rig.fetch('/')).status).toBe(200)
  const { counts } = (await rig.ask('/network/health/127.0.0.1')).json
  expect(counts).toEqual({ available: 1, limited: 0, unavailable: 0 })
  // Who left is no failure of ours.
  expect((await rig.ask('/usage')).json).toMatchObject({ total: 1, ok: 1, failed: 0 })
  expect(lines).toEqual([])
})

test('closing waits for requests under way, and takes no more', async () => {
  const rig = await startRig({ drainMs: 5000 })
  const slow = rig.fetch('/slow')
  await until('the target is asked', () => rig.target.visits.length === 1)
  const closed = rig.gateway.close()
  const [late, ready] = [await rig.fetch('/'), await rig.ask('/readyz')]
  expect(errorOf(late).code).toBe('SHUTTING_DOWN')
  expect([ready.status, ready.json.ready]).toEqual([503, false])
  expect((await slow).status).toBe(200)
  await closed
  await expect(rig.ask('/healthz')).rejects.toThrow('fetch failed')
})

test('closing ends what does not end by itself', async () => {
  const rig = await startRig({ drainMs: 200 })
  const hanging = rig.fetch('/hang', { timeout: 60 })
  await until('the target is asked', () => rig.target.visits.length === 1)
  const startMs = performance.now()
  await rig.gateway.close()
  expect(performance.now() - startMs).toBeLessThan(3000)
  expect(errorOf(await hanging).code).toBe('SHUTTING_DOWN')
})

test('closing does not wait for callers who send nothing, or half a request', async () => {
  const { connect } = await import('node:net')
  const rig = await startRig({ drainMs: 200 })
  const port = Number(new URL(rig.url).port)
  for (const text of ['', 'POST /fetch HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{']) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    closing(() => socket.destroy())
    socket.write(text)
  }
  await setTimeout(100)
  const startMs = performance.now()
  await rig.gateway.close()
  expect(performance.now() - startMs).toBeLessThan(3000)
})

// ---- changes of health as they come ---------------------------------------------------------

test('changes of health are streamed, and the stream ends with the gateway', async () => {
  const rig = await startRig({ drainMs: 5000 })
  const response = await fetch(`${rig.url}/network/health/127.0.0.1`, {
    headers: { authorization: `Bearer ${rig.key}`, accept: 'text/event-stream' },
  })
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('x-ratelimit-limit')).toBe('100000')
  let text = ''
  const read = (async () => {
    for await (const part of response.body ?? []) text += Buffer.from(part).toString()
  })()
  await until('the first event', () => text.includes('"available":3'))
  await rig.fetch('/blocked')
  await until('the second event', () => text.includes('"unavailable":1'))
  expect(text).toMatch(/^event: health\ndata: \{/)
  const startMs = performance.now()
  await rig.gateway.close()
  await read
  expect(performance.now() - startMs).toBeLessThan(3000)
})

test('who asks for the head of a stream is not kept waiting for its end', async () => {
  const rig = await startRig()
  const headers = { accept: 'text/event-stream' }
  const path = '/network/health/shop.example'
  const signal = AbortSignal.timeout(5000)
  expect((await rig.ask(path, { method: 'HEAD', headers, signal })).status).toBe(200)
})

test('a key has as many streams at once as its tier says, and a stream counts once', async () => {
  const tiers = { two: { policies: [{ name: 'two', limit: 20, windowMs: 60_000 }], permits: 2 } }
  const rig = await startRig({ tier: 'two', tiers })
  const headers = { authorization: `Bearer ${rig.key}`, accept: 'text/event-stream' }
  const leaves = [new AbortController(), new AbortController()]
  for (const { signal } of leaves) {
    const stream = await fetch(`${rig.url}/network/health/shop.example`, { headers, signal })
    expect(stream.status).toBe(200)
  }
  const { limits } = (await rig.ask('/usage')).json
  expect(limits).toMatchObject([
    { policy: 'two', used: 3 },
    { policy: 'permits', used: 2 },
  ])
  const third = await rig.ask('/network/health/shop.example', {
    headers: { accept: headers.accept },
  })
  expect([third.status, errorOf(third).details['policy']]).toEqual([429, 'permits'])
  for (const leave of leaves) leave.abort()
  let used = 2
  for (let tries = 0; used > 0; tries++) {
    expect(tries).toBeLessThan(15)
    await setTimeout(50)
    used = (await rig.ask('/usage')).json.limits[1].used
  }
})

test('ids and domains may be as long as they may be', async () => {
  const rig = await startRig()
  const id = 'x'.repeat(128)
  const put = await rig.ask(`/network/agents/${id}`, { method: 'PUT', body: { country: 'DE' } })
  expect([put.status, put.json.id]).toEqual([200, id])
  const label = 'y'.repeat(60)
  const domain = `${label}.${label}.${label}.example`
  const told = await rig.ask(`/network/health/${domain}`)
  expect(told.status).toBe(200)
  expect(told.json.counts.available).toBe(4)
})

test('usage counts failures under the domain that successes are counted under', async () => {
  const rig = await startRig({ agents: 0 })
  await rig.ask('/fetch', { body: { url: 'http://www.shop.example/a?b=c' } })
  await rig.ask('/fetch', { body: { url: 'http://api.shop.example/' } })
  const { failed, topDomains } = (await rig.ask('/usage')).json
  expect(failed).toBe(2)
  expect(topDomains).toEqual([{ name: 'shop.example', count: 2 }])
})

test('health is paged, with reasons, and tells of an incident of the target', async () => {
  const rig = await startRig({ agents: 6 })
  for (let i = 0; i < 6; i++) await rig.fetch('/blocked')
  const seen: string[] = []
  for (let offset: number | null = 0; offset !== null;) {
    const { json } = await rig.ask(`/network/health/127.0.0.1?limit=4&offset=${offset}`)
    expect(json.incident.openedAtMs).toBeGreaterThan(Date.now() - 60_000)
    for (const { id, reason } of json.agents) {
      expect(reason).toBe('blocked')
      seen.push(id)
    }
    expect(json.agents.length).toBeLessThanOrEqual(4)
    offset = json.next
  }
  expect(seen.sort()).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'a6'])
})

test('metrics count requests by route, and what fetches came to', async () => {
  const rig = await startRig()
  await rig.fetch('/')
  await rig.fetch('/blocked')
  await rig.ask('/nowhere')
  const { text, headers } = await rig.ask('/metrics')
  expect(headers.get('content-type')).toContain('text/plain; version=0.0.4')
  for (const line of [
    'ostler_http_requests_total{route="/fetch",method="POST",status="200"} 2',
    'ostler_http_requests_total{route="none",method="GET",status="404"} 1',
    'ostler_outcomes_total{protocol="http",outcome="ok"} 1',
    'ostler_outcomes_total{protocol="http",outcome="blocked"} 1',
    'ostler_agents 3',
    'ostler_store_degraded 0',
  ]) {
    expect(text).toContain(line)
  }
})

test('agents that another gateway put are listed, counted and removed before anything is fetched', async () => {
  const store = memoryStore()
  const one = await startRig({ store, agents: 1 })
  const other = await startRig({ store, agents: [] })
  expect((await other.ask('/readyz')).json.agents).toBe(1)
  await one.ask('/network/agents/x', { method: 'PUT', body: { country: 'PT' } })
  const listed = (await other.ask('/network/agents')).json
  expect(listed.agents.map(({ id }: { id: string }) => id).sort()).toEqual(['a1', 'x'])
  await one.ask('/network/agents/y', { method: 'PUT', body: { country: 'PT' } })
  expect((await other.ask('/network/agents/y', { method: 'DELETE' })).status).toBe(204)
  expect((await one.ask('/network/agents')).json.total).toBe(2)
})

test('what is wrong with an agent is told by the fields of the request', async () => {
  const rig = await startRig()
  const body = { country: 'ZZZ', weight: -1 }
  const answer = await rig.ask('/network/agents/x', { method: 'PUT', body })
  expect([answer.status, errorOf(answer).code]).toEqual([422, 'VALIDATION_ERROR'])
  const fields = errorOf(answer).details['fields'] as { path: string }[]
  expect(fields.map(({ path }) => path)).toEqual(['body.country', 'body.weight'])
})

test('agents come and go while the gateway runs, and how they are reached is not told', async () => {
  const rig = await startRig({ agents: 1 })
  const body = { country: 'AT', url: 'http://user:hunter2@127.0.0.1:9' }
  const put = await rig.ask('/network/agents/new', { method: 'PUT', body })
  expect([put.status, put.json.id]).toEqual([200, 'new'])
  const listed = await rig.ask('/network/agents')
  expect(listed.json.total).toBe(2)
  const page = await rig.ask('/network/agents?offset=1&limit=1')
  expect([page.json.agents.length, page.json.next]).toEqual([1, null])
  for (const { text } of [
    put,
    listed,
    await rig.ask('/debug/pick?url=http://shop.example/&geo=AT'),
  ]) {
    expect(text).toContain('"new"')
    expect(text).not.toMatch(/hunter2|127\.0\.0\.1:9/)
  }
  expect((await rig.ask('/network/agents/new', { method: 'DELETE' })).status).toBe(204)
  expect((await rig.ask('/network/agents')).json.total).toBe(1)
})
