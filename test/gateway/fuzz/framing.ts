import type { Draw } from './draw.ts'
import type { Request } from './requests.ts'
import { text } from './values.ts'
import { plain } from './requests.ts'

/** A request as it goes out: its body by its length, or in chunks. */
export function written(draw: Draw, { method, path, version, headers, body }: Request): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}`)
  const isChunked = body.length > 0 && version === 'HTTP/1.1' && draw.percent(20)
  if (isChunked) lines.push('transfer-encoding: chunked')
  else if (body.length > 0 || method === 'POST') lines.push(`content-length: ${body.length}`)
  const head = headOf(`${method} ${path} ${version}`, lines)
  return Buffer.concat([head, isChunked ? chunked(draw, body) : body])
}

function headOf(first: string, lines: readonly string[]): Buffer {
  return Buffer.from(`${[first, ...lines].join('\r\n')}\r\n\r\n`, 'latin1')
}

function chunked(draw: Draw, body: Buffer): Buffer {
  const middle = draw.int(0, body.length)
  const parts = [body.subarray(0, middle), body.subarray(middle)].filter(({ length }) => length > 0)
  const extension = draw.percent(20)
    ? draw.of([';a=b', ';a', ';a="b"', ` ;${'x'.repeat(500)}=1`])
    : ''
  const trailers = draw.percent(15) ? 'x-trailer: 1\r\n' : ''
  return Buffer.concat([
    ...parts.map((part) =>
      Buffer.concat([
        Buffer.from(`${part.length.toString(16)}${extension}\r\n`),
        part,
        Buffer.from('\r\n'),
      ]),
    ),
    Buffer.from(`0\r\n${trailers}\r\n`),
  ])
}

const CONNECTIONS = ['close', 'keep-alive', 'Close, x', 'upgrade', 'te', ',']

/** Something about the head is odd; where the request ends is clear all the same, or the server says that it is not. */
export function spoilHead(draw: Draw, request: Request): void {
  const { headers } = request
  const add = (...more: [string, string][]): void => void headers.push(...more)
  const place = draw.int(0, headers.length)
  draw.way<void>([
    [
      6,
      () =>
        add([
          'expect',
          draw.of([
            '100-continue',
            '100-Continue',
            'nothing',
            '',
            '100-continue, x',
            'x'.repeat(300),
          ]),
        ]),
    ],
    [5, () => upgrade(draw, request)],
    [
      4,
      () => add(['connection', plain(draw.percent(80) ? draw.of(CONNECTIONS) : text(draw).trim())]),
    ],
    [
      3,
      () => void headers.splice(0, headers.length, ...headers.filter(([name]) => name !== 'host')),
    ],
    [2, () => add(['host', 'nobody.invalid'])],
    [
      2,
      () => add(['authorization', 'Bearer x'], ['x-api-key', ''], ['x-geo', 'DE'], ['x-geo', 'FR']),
    ],
    [2, () => add(['content-type', 'application/json'], ['content-type', 'text/plain'])],
    [
      3,
      () =>
        void headers.splice(place, 0, [
          'x-long',
          'x'.repeat(draw.of([8_000, 31_000, 33_000, 60_000])),
        ]),
    ],
    [
      2,
      () =>
        add(
          ...Array.from({ length: draw.of([150, 2_100]) }, (_, i): [string, string] => [
            `x-${i}`,
            '',
          ]),
        ),
    ],
    [
      3,
      () =>
        void (request.version = draw.of([
          'HTTP/1.0',
          'HTTP/1.2',
          'HTTP/2.0',
          'HTTP/0.9',
          'http/1.1',
          'HTTP/1.1 ',
          'HTTP/11',
          'HTTP/1.',
        ])),
    ],
    [
      2,
      () =>
        void (request.method = draw.of([
          'CONNECT',
          'get',
          'GETT',
          'X'.repeat(100),
          'G\u00cbT',
          'M-SEARCH',
          'QUERY',
          'SOURCE',
        ])),
    ],
    [
      2,
      () =>
        void (request.path = draw.of([
          `${request.path} x`,
          ` ${request.path}`,
          '\t',
          '*',
          `http://127.0.0.1${request.path}`,
          `${request.path}#x`,
        ])),
    ],
    [
      2,
      () =>
        void headers.splice(place, 0, [
          draw.of(['x y', 'x ', ' x', 'x\u0001', '\u00e9', '(x)', '"x"', 'x;']),
          '1',
        ]),
    ],
    [
      2,
      () =>
        void headers.splice(place, 0, [
          'x-folded',
          draw.of(['a\r\n b', 'a\r\n\tb', 'a\n b', 'a\rb', 'a\0b', 'a\u0007b', 'a\u007fb']),
        ]),
    ],
    [
      2,
      () =>
        add([
          'transfer-encoding',
          draw.of([
            'gzip, chunked',
            'identity',
            'chunked, identity',
            ' chunked ',
            'xchunked',
            '\u000bchunked',
            'chunked\t',
            '"chunked"',
          ]),
        ]),
    ],
    [
      2,
      () =>
        add(
          ['te', 'trailers, deflate;q=0.5'],
          ['trailer', 'content-length'],
          ['keep-alive', 'timeout=0'],
        ),
    ],
  ])
}

function upgrade(draw: Draw, { headers }: Request): void {
  const name = draw.of([
    'websocket',
    'WebSocket',
    'h2c',
    'websocket, h2c',
    'h2c, websocket',
    'TLS/1.0',
    '',
    'x'.repeat(200),
  ])
  headers.push(['upgrade', name])
  if (draw.percent(85))
    headers.push([
      'connection',
      draw.of(['Upgrade', 'keep-alive, Upgrade', 'upgrade, HTTP2-Settings', 'close, upgrade']),
    ])
  if (draw.percent(30)) headers.push(['http2-settings', 'AAMAAABkAAQAAP__'])
  if (draw.percent(60))
    headers.push(
      ['sec-websocket-key', draw.of(['dGhlIHNhbXBsZSBub25jZQ==', 'x', ''])],
      ['sec-websocket-version', draw.of(['13', '8', '99', 'x'])],
    )
}

type Framing = (draw: Draw, request: Request) => Buffer

/** A body whose end two servers may see at two places. */
export const FRAMINGS: readonly Framing[] = [
  withFraming((length) => [`content-length: ${length}`, 'transfer-encoding: chunked'], true),
  withFraming((length) => ['transfer-encoding: chunked', `content-length: ${length}`], false),
  withFraming(() => ['content-length: 4', 'transfer-encoding:\tchunked'], true),
  withFraming(() => ['transfer-encoding: chunked', 'transfer-encoding: identity'], true),
  withFraming(() => ['transfer-encoding: chunked', 'transfer-encoding: chunked'], true),
  withFraming(() => ['transfer-encoding: chunked, chunked'], true),
  withFraming(() => ['transfer-encoding : chunked'], true),
  withFraming(() => ['x: y\ntransfer-encoding: chunked'], true),
  withFraming(() => ['transfer-encoding:', ' chunked'], true),
  withFraming((length) => [`content-length: ${length}`, `content-length: ${length}`], false),
  withFraming((length) => [`content-length: ${length}`, `content-length: ${length + 9}`], false),
  withFraming((length) => [`content-length: ${length}, ${length}`], false),
  withFraming((length) => [`content-length: +${length}`], false),
  withFraming((length) => [`content-length: 0x${length.toString(16)}`], false),
  withFraming((length) => [`content-length: ${length} `, 'content-length :0'], false),
  withFraming(() => ['content-length: -1'], false),
  withFraming(() => ['content-length: 99999999999999999999'], false),
  withFraming(() => ['content-length: 18446744073709551616'], false),
  withFraming(() => ['content-length: 1048577'], false),
  withFraming((length) => [`content-length: ${length + 40}`], false),
  withFraming((length) => [`content-length: ${Math.max(0, length - 10)}`], false),
  withFraming(() => [], false),
]

function withFraming(lines: (length: number) => readonly string[], isChunked: boolean): Framing {
  return (draw, { method, path, version, headers, body }) => {
    const own = headers.map(([name, value]) => `${name}: ${value}`)
    const head = headOf(`${method} ${path} ${version}`, [...own, ...lines(body.length)])
    return Buffer.concat([head, isChunked ? chunked(draw, body) : body])
  }
}

const SIZES = [
  'g',
  '-1',
  '0x5',
  '+5',
  '5 5',
  'ffffffffffffffff',
  '10000000000000000',
  '7fffffff',
  '5\n',
  '',
  ' ',
  '5;',
  ';x',
  `5;${'a'.repeat(20_000)}`,
]

/** Chunks that are no chunks, ends that are too early, and requests that are followed by others. */
export function breakFraming(draw: Draw, bytes: Buffer): Buffer {
  const headEnd = bytes.indexOf('\r\n\r\n') + 4
  const head = (lines: string): Buffer =>
    Buffer.from(
      bytes.toString('latin1', 0, headEnd - 2).replace(/content-length: \d+\r\n/, '') + lines,
      'latin1',
    )
  const chunks = head('transfer-encoding: chunked\r\n\r\n')
  return draw.way<Buffer>([
    [4, () => Buffer.concat([chunks, Buffer.from(`${draw.of(SIZES)}\r\n{"a":\r\n0\r\n\r\n`)])],
    [1, () => Buffer.concat([chunks, Buffer.from('2\r\n{}XX0\r\n\r\n')])],
    [
      1,
      () =>
        Buffer.concat([
          chunks,
          Buffer.from('2\r\n{}\r\n0\r\ncontent-length: 9\r\nhost: x\r\n\r\n'),
        ]),
    ],
    [
      1,
      () =>
        Buffer.concat([chunks, Buffer.from(`2\r\n{}\r\n0\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`)]),
    ],
    [1, () => Buffer.concat([chunks, Buffer.from('2\r\n{}\r\n')])],
    [2, () => bytes.subarray(0, draw.int(1, Math.max(1, bytes.length - 1)))],
    [1, () => bytes.subarray(0, draw.int(1, headEnd))],
    [
      1,
      () =>
        Buffer.concat([
          bytes,
          Buffer.from(draw.of(['GET', 'nonsense\r\n\r\n', '\0', '\r\n\r\n', '0\r\n\r\n'])),
        ]),
    ],
    [1, () => Buffer.concat([Buffer.from(draw.of(['\r\n', '\n', ' ', '\0'])), bytes])],
  ])
}
