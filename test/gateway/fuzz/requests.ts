import type { Draw } from './draw.ts'
import { apiKey, geo, json, strange, text, url } from './values.ts'
import type { World } from './world.ts'

/** A request as it is meant, before it is written down. */
export interface Request {
  method: string
  path: string
  version: string
  headers: [string, string][]
  body: Buffer
}

type Fields = Readonly<Record<string, unknown>>

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PURGE']
const TARGET_METHODS = [
  'GET',
  'POST',
  'PUT',
  'HEAD',
  'DELETE',
  'OPTIONS',
  'CONNECT',
  'TRACE',
  'get',
  'X',
]
const AGENT_IDS = ['fuzz-1', 'fuzz-2', 'fuzz%203', '%00', '%F0%9F%98%80', '..', '%2e%2e%2f', '%zz']
const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json; charset=utf-16',
  'APPLICATION/JSON',
  'application/problem+json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json;;;',
  'application/json\u00e9',
  '/',
  '',
]
const ACCEPTS = ['*/*', 'application/problem+json', 'application/json', 'text/html', ';q=', '']

/** One of the gateway's routes, asked as it may be asked, or nearly so. */
export function request(draw: Draw, world: World): Request {
  const drawn = draw.way<Request>([
    [26, () => post('/fetch', json(draw, fetchFields(draw, world)))],
    [12, () => get(`/fetch?${query(draw, fetchQuery(draw, world))}`)],
    [3, () => get('/fetch', [['x-target-url', plain(url(draw, world))]])],
    [5, () => get('/usage')],
    [8, () => get(`/network/health/${domain(draw)}?${page(draw)}`, stream(draw))],
    [5, () => get(`/network/agents?${page(draw)}`)],
    [6, () => ({ ...get(`/network/agents/${draw.of(AGENT_IDS)}`), method: 'DELETE' })],
    [
      6,
      () => ({
        ...post(`/network/agents/${draw.of(AGENT_IDS)}`, json(draw, agent(draw))),
        method: 'PUT',
      }),
    ],
    [7, () => get(`/debug/pick?${query(draw, { url: url(draw, world), geo: geo(draw) })}`)],
    [6, () => post('/amqp/publish', json(draw, publishFields(draw, world)))],
    [5, () => post('/amqp/consume', json(draw, consumeFields(draw, world)))],
    [3, () => post(`/amqp/streams/${domain(draw)}/ack`, json(draw, { deliveries: ['1'] }))],
    [3, () => get('/ws')],
    [
      6,
      () =>
        get(draw.of(['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs', '/docs/json'])),
    ],
    [4, () => get(nowhere(draw))],
  ])
  if (draw.percent(12)) drawn.method = draw.of(METHODS)
  drawn.headers.push(...usual(draw, world))
  return drawn
}

function get(path: string, headers: [string, string][] = []): Request {
  return { method: 'GET', path, version: 'HTTP/1.1', headers, body: Buffer.alloc(0) }
}

function post(path: string, body: Buffer): Request {
  const headers: [string, string][] = [['content-type', 'application/json']]
  return { method: 'POST', path, version: 'HTTP/1.1', headers, body }
}

/** Who asks, and how: headers that any request may have. */
function usual(draw: Draw, world: World): [string, string][] {
  const headers: [string, string][] = [['host', draw.percent(95) ? '127.0.0.1' : plain(text(draw))]]
  const some = (often: number, name: string, value: () => string): void => {
    if (draw.percent(often)) headers.push([name, plain(value())])
  }
  const presented = apiKey(draw, world)
  some(85, 'authorization', () =>
    draw.percent(92) ? `Bearer ${presented}` : `${text(draw)} ${presented}`,
  )
  some(10, 'x-api-key', () => apiKey(draw, world))
  some(12, 'x-geo', () => geo(draw))
  some(6, 'x-target-url', () => url(draw, world))
  some(6, 'x-session', () => (draw.percent(50) ? 's1' : text(draw)))
  some(8, 'idempotency-key', () => (draw.percent(60) ? `key-${draw.int(1, 40)}` : text(draw)))
  some(15, 'accept', () => draw.of(ACCEPTS))
  some(6, 'content-type', () => draw.of(TYPES))
  some(4, 'x-forwarded-for', () => draw.of(['198.51.100.7', '::1', text(draw)]))
  some(4, 'accept-encoding', () => draw.of(['gzip', 'br;q=1, *;q=0', text(draw)]))
  some(3, 'if-none-match', () => text(draw))
  some(3, 'range', () => draw.of(['bytes=0-1', 'bytes=9-', 'bytes=1-0', text(draw)]))
  some(3, 'cookie', () => text(draw))
  some(2, text(draw).replaceAll(/[^\w-]/g, '') || 'x-odd', () => text(draw))
  return headers
}

/** As a header may hold it: Latin-1 without what ends a line. */
export function plain(value: string): string {
  return Buffer.from(value, 'utf8')
    .toString('latin1')
    .replaceAll(/[\r\n\0]/g, '')
}

/** Without halves of characters, which cannot be percent-encoded. */
function wellFormed(value: string): string {
  return Buffer.from(value).toString()
}

function stream(draw: Draw): [string, string][] {
  return draw.percent(15) ? [['accept', 'text/event-stream']] : []
}

function fetchFields(draw: Draw, world: World): Fields {
  const often = (percent: number, fields: () => Fields): Fields =>
    draw.percent(percent) ? fields() : {}
  return {
    ...often(95, () => ({ url: url(draw, world) })),
    ...often(30, () => ({ method: draw.of(TARGET_METHODS) })),
    ...often(25, () => ({ headers: targetHeaders(draw) })),
    ...often(20, () => ({ body: text(draw) })),
    ...often(10, () => ({ encoding: draw.of(['text', 'base64']) })),
    timeout: draw.of([0.2, 0.3, 0.5]),
    ...often(15, () => ({ geo: geo(draw) })),
    ...often(8, () => ({ session: draw.percent(50) ? 's2' : text(draw) })),
    ...often(15, () => ({ attempts: draw.int(1, 4) })),
    ...often(15, () => ({ redirect: draw.of(['manual', 'follow']) })),
  }
}

function targetHeaders(draw: Draw): Fields {
  const names = [
    'accept',
    'x-a',
    'host',
    'connection',
    'content-length',
    'transfer-encoding',
    'expect',
    'te',
    'upgrade',
    'bad name',
    '',
    ':path',
    'x\r\ny',
    '__proto__',
  ]
  return Object.fromEntries(
    Array.from({ length: draw.int(1, 4) }, () => [
      draw.of(names),
      draw.percent(60) ? 'a' : draw.of([text(draw), [text(draw), 'b'], 'a\r\nb: c', strange(draw)]),
    ]),
  )
}

function fetchQuery(draw: Draw, world: World): Fields {
  const fields: Record<string, unknown> = {
    url: url(draw, world),
    timeout: draw.of(['0.2', '0.5']),
  }
  if (draw.percent(15)) fields['geo'] = geo(draw)
  if (draw.percent(10)) fields['attempts'] = draw.of(['2', '0', '-1', '1e3', '2.5', text(draw)])
  if (draw.percent(10)) fields['timeout'] = draw.of(['0', '-1', '301', 'NaN', '1e-9', text(draw)])
  if (draw.percent(5)) fields[text(draw)] = text(draw)
  return fields
}

function query(draw: Draw, fields: Fields): string {
  const escaped = (value: unknown): string => {
    const written = wellFormed(String(value))
    return draw.percent(90) ? encodeURIComponent(written) : plain(written).replaceAll(/[\s#]/g, '+')
  }
  const pairs = Object.entries(fields).map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
  if (draw.percent(5)) pairs.push(...pairs)
  if (draw.percent(5))
    pairs.push(draw.of(['&&&', '=', '__proto__[x]=1', 'url[]=1', '%zz=%zz', 'a'.repeat(5_000)]))
  return pairs.join('&')
}

function page(draw: Draw): string {
  const number = (): string =>
    draw.of(['0', '1', '10', '-1', '1e9', '1001', 'x', '9'.repeat(30), ''])
  return draw.percent(60) ? '' : `offset=${number()}&limit=${number()}`
}

function domain(draw: Draw): string {
  return draw.way<string>([
    [
      60,
      () => draw.of(['127.0.0.1', '127.0.0.9', 'shop.example', '%5B::1%5D', 'co.uk', 'xn--p1ai']),
    ],
    [30, () => encodeURIComponent(wellFormed(text(draw)))],
    [10, () => draw.of(['%zz', '%ff', '%2f', '..', '', '%00', '%E2%82', 'a'.repeat(300)])],
  ])
}

function agent(draw: Draw): Fields {
  return {
    country: draw.of(['DE', 'AQ', 'ZZ', 'de']),
    lat: draw.of([50, 91, -0, 1e308]),
    lon: draw.of([8, 181]),
    url: draw.of([
      'http://127.0.0.1:9',
      'socks5://127.0.0.1:9',
      'http://u:p@127.0.0.1:9',
      'x:',
      '',
    ]),
    ...(draw.percent(20) && {
      tags: ['a'],
      weight: draw.of([1, 0, -1]),
      maxConcurrency: draw.of([1, 0]),
    }),
    ...(draw.percent(20) && {
      exitIp: draw.of(['127.0.2.1', 'nonsense', '::1']),
      asn: draw.int(-1, 5),
    }),
  }
}

function broker(draw: Draw, world: World): string {
  const { host } = new URL(draw.of([world.target, world.garbage, world.nobody]))
  return draw.percent(70) ? `amqp://u:p@${host}/${draw.of(['', '%2f', 'v'])}` : url(draw, world)
}

function publishFields(draw: Draw, world: World): Fields {
  return {
    url: broker(draw, world),
    routingKey: draw.percent(80) ? 'q' : text(draw),
    body: text(draw),
    timeout: draw.of([0.2, 0.4]),
    ...(draw.percent(20) && { exchange: text(draw), mandatory: true }),
    ...(draw.percent(25) && {
      properties: { headers: { a: strange(draw) }, timestamp: text(draw) },
    }),
    ...(draw.percent(10) && { encoding: 'base64' }),
  }
}

function consumeFields(draw: Draw, world: World): Fields {
  return {
    url: broker(draw, world),
    queue: draw.percent(80) ? 'q' : text(draw),
    timeout: draw.of([0.2, 0.4]),
    ...(draw.percent(15) && { declare: { bindings: [{ exchange: 'e', routingKey: text(draw) }] } }),
    ...(draw.percent(15) && { ack: 'manual', prefetch: draw.int(0, 1_001) }),
  }
}

function nowhere(draw: Draw): string {
  return draw.of([
    '/',
    '*',
    '//',
    '/..',
    '/docs/static/../../package.json',
    '/docs/static/%2e%2e%2f',
    '/docs/static/%00',
    '/%',
    '/fetch/',
    '/FETCH',
    '/?',
    '/#',
    'http://nobody.invalid/usage',
    'nobody',
    `/${'a/'.repeat(900)}`,
    `/?${'a=b&'.repeat(3_000)}`,
    '/\u00e9',
    '/network/agents/a/b',
  ])
}
