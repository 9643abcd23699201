import type { Draw } from './draw.ts'
import type { World } from './world.ts'

/** Texts that break what takes any text for granted. */
const TEXTS: readonly (() => string)[] = [
  () => '',
  () => ' ',
  () => '\t',
  () => '0',
  () => '-1',
  () => 'null',
  () => 'true',
  () => '[object Object]',
  () => '__proto__',
  () => 'constructor',
  () => 'hasOwnProperty',
  () => '../../etc/passwd',
  () => '%00%0d%0a',
  () => '\u0000',
  () => '\ud800',
  () => '\udc00\ud800',
  () => '\u202e\ufeff',
  () => '😀'.repeat(60),
  () => 'ﷺ'.repeat(200),
  () => 'x'.repeat(129),
  () => 'x'.repeat(257),
  () => 'x'.repeat(9_000),
  () => '1e999',
  () => '9'.repeat(400),
  () => "'; DROP TABLE agents; --",
  () => '${jndi:ldap://127.0.0.1/}',
]

const GEOS: readonly string[] = [
  'DE',
  'DE,FR',
  'us-va',
  '48.21,16.37',
  'EU;strict',
  'US;radius=500',
  '-GB',
  'EU,-FR',
  'country:NA',
  'ZZ',
  ';',
  ',',
  'DE;;strict',
  'DE;radius=1e309',
  'DE;radius=-1',
  '91,181',
  'NaN,NaN',
  '0x10,0',
  '-DE,-DE,-DE',
  `${'DE,'.repeat(80)}DE`,
  `DE;radius=${'9'.repeat(300)}`,
  ' '.repeat(250),
  'DE\u00a0',
]

/** Targets as they should not be; none of them leaves this machine. */
const URLS: readonly string[] = [
  '',
  ' ',
  'http:',
  'http://',
  'http:///',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1%25eth0]/',
  'http://[fe80::1]/',
  'http://169.254.169.254/latest/meta-data/',
  'http://0x0a.1/',
  'http://192.168.1.1:8080/',
  'http://localhost/',
  'http://nobody.internal/',
  'http://nobody.invalid/',
  'http://a..b/',
  'http://.invalid/',
  'http://xn--/',
  'http://user:word@127.0.0.1/',
  'http://127.0.0.1:0/',
  'http://127.0.0.1:22/',
  'http://127.0.0.1:65536/',
  'http://127.0.0.1:/',
  'http://%00/',
  'http://\u0000/',
  'http://\ud800/',
  'ftp://127.0.0.1/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'ws://127.0.0.1/',
  'amqp://127.0.0.1/%zz',
  '//127.0.0.1/',
  'http://127.0.0.1\\@nobody.invalid/',
  'http://nobody.invalid#@127.0.0.1/',
  'http://１２７.0.0.1:22/',
  `http://127.0.0.1/${'a'.repeat(8_150)}`,
  `http://${'a.'.repeat(130)}invalid/`,
  `http://127.0.0.1/${'%'.repeat(400)}`,
]

const PATHS = ['/', '/', '/echo', '/odd', '/gzip', '/latin1', '/mislabelled', '/picture', '/empty']
const MORE_PATHS = ['/missing', '/redirect', '/broken', '/stream', '/?q=%zz', '/a b', '/%', '/é']
const HOSTILE = ['/blocked', '/challenged', '/limited', '/broken', '/']

export function text(draw: Draw): string {
  return draw.of(TEXTS)()
}

export function geo(draw: Draw): string {
  return draw.percent(80) ? draw.of(GEOS) : text(draw)
}

/** A target, most often one that is there. */
export function url(draw: Draw, world: World): string {
  return draw.way<string>([
    [60, () => `${world.target}${draw.of(draw.percent(80) ? PATHS : MORE_PATHS)}`],
    [5, () => `${world.hostile}${draw.of(HOSTILE)}`],
    [2, () => `${world.target}${draw.of(['/hang', '/drip'])}`],
    [2, () => `${draw.of([world.garbage, world.nobody])}/`],
    [25, () => draw.of(URLS)],
    [6, () => text(draw)],
  ])
}

/** A key, and most often the one that is good for all. */
export function apiKey(draw: Draw, { keys }: World): string {
  return draw.way<string>([
    [70, () => keys.roomy],
    [8, () => keys.open],
    [6, () => keys.tight],
    [4, () => keys.narrow],
    [8, () => draw.of([keys.revoked, keys.unknown])],
    [4, () => text(draw)],
  ])
}

/** Any JSON value of a kind that nobody asked for. */
export function strange(draw: Draw, depth = 0): unknown {
  return draw.way<unknown>([
    [6, () => text(draw)],
    [1, () => null],
    [1, () => draw.percent(50)],
    [4, () => draw.of([0, -0, -1, 1.5, 301, 1e21, 1e308, -1e308, 2 ** 53, 2 ** 31, 5e-324])],
    [
      2,
      () =>
        depth > 3 ? [] : Array.from({ length: draw.int(0, 4) }, () => strange(draw, depth + 1)),
    ],
    [2, () => (depth > 3 ? {} : object(draw, depth))],
    [1, () => Array.from({ length: 300 }, (_, i) => i)],
    [1, () => Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`k${i}`, i]))],
    [1, () => nested(draw.of([20, 300, 2_000]), draw.percent(50))],
  ])
}

function object(draw: Draw, depth: number): object {
  const names = Array.from({ length: draw.int(0, 4) }, () => text(draw))
  return Object.fromEntries(names.map((name) => [name, strange(draw, depth + 1)]))
}

function nested(depth: number, isArray: boolean): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = isArray ? [value] : { a: value }
  return value
}

/** What a request says in JSON, spoilt where the draw says so: a field, or the text itself. */
export function json(draw: Draw, value: Readonly<Record<string, unknown>>): Buffer {
  if (draw.percent(55)) return Buffer.from(JSON.stringify(value))
  const names = Object.keys(value)
  const spoilt: Record<string, unknown> = { ...value }
  if (draw.percent(60)) spoilt[names.length === 0 ? 'x' : draw.of(names)] = strange(draw)
  if (draw.percent(20)) spoilt[text(draw)] = strange(draw)
  const written = JSON.stringify(draw.percent(5) ? strange(draw) : spoilt)
  return draw.percent(60) ? Buffer.from(written) : spoiltText(draw, written)
}

function spoiltText(draw: Draw, written: string): Buffer {
  const into = (inside: string): string =>
    written.replace(/^\{/, `{${inside}${written.length > 2 ? ',' : ''}`)
  return draw.way<Buffer>([
    [2, () => Buffer.from(`\ufeff${written}`)],
    [1, () => Buffer.from(written, 'utf16le')],
    [2, () => Buffer.from(into('"__proto__":{"url":"http://127.0.0.1/"}'))],
    [2, () => Buffer.from(into('"constructor":{"prototype":{"admin":true}}'))],
    [2, () => Buffer.from(into('"url":"http://nobody.invalid/","url":"http://10.0.0.1/"'))],
    [
      2,
      () =>
        Buffer.from(
          into(
            `"timeout":${draw.of(['1e999', '-1e999', `0.${'0'.repeat(400)}1`, '9'.repeat(500), '01', '.5', '+1', '0x10', 'NaN', 'Infinity'])}`,
          ),
        ),
    ],
    [2, () => Buffer.from(written.slice(0, draw.int(0, written.length)))],
    [1, () => Buffer.from(written + written)],
    [1, () => Buffer.from(`${written}${' '.repeat(5_000)}`)],
    [1, () => Buffer.from('['.repeat(20_000))],
    [1, () => Buffer.from(`${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`)],
    [
      1,
      () =>
        Buffer.from(
          `{"headers":{${Array.from({ length: 3_000 }, (_, i) => `"h${i}":"v"`).join()}}}`,
        ),
    ],
    [2, () => withBytes(written, draw)],
    [1, () => Buffer.alloc(0)],
  ])
}

/** Bytes that are no UTF-8, amid the text. */
function withBytes(written: string, draw: Draw): Buffer {
  const bytes = Buffer.from(written)
  const at = draw.int(0, bytes.length)
  const odd = draw.of([
    [0xff],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf8, 0x88, 0x80, 0x80, 0x80],
    [0],
  ])
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(odd), bytes.subarray(at)])
}
