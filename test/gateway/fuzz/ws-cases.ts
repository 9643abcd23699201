import { Draw } from './draw.ts'
import type { Leaving } from './exchange.ts'
import { OPCODES } from './frames.ts'
import { mutated } from './mutate.ts'
import { plain } from './requests.ts'
import { apiKey, geo, json, strange, text, url } from './values.ts'
import type { World } from './world.ts'

export interface WsCase {
  /** The request for a WebSocket. */
  readonly handshake: Buffer
  /** What the server must prove to have read; null where the handshake is not sound. */
  readonly key: string | null
  /** Each is one write. */
  readonly frames: readonly Buffer[]
  /** Whether the frames go out with the handshake, before it is answered. */
  readonly isEarly: boolean
  /** Whether the first message is sound and whole, so that there is an answer to it. */
  readonly isAsked: boolean
  readonly leaving: Leaving
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** The case of this number: the same bytes whenever it is drawn, but for ports. */
export function wsCase(seed: number, index: number, world: World): WsCase {
  const draw = new Draw(seed, index)
  const leaving = draw.percent(80) ? 'served' : draw.of(['ends', 'resets'] as const)
  const isSound = draw.percent(80)
  const isAsked = draw.percent(72)
  const first = isAsked ? [frame(OPCODES.text, firstMessage(draw, world))] : oddFirst(draw, world)
  const more = Array.from({ length: draw.int(0, 5) }, () => laterFrame(draw))
  const frames = [...first, ...more]
  const isMutated = draw.percent(15)
  return {
    handshake: isSound ? sound(draw) : odd(draw),
    key: isSound ? KEY : null,
    frames: isMutated ? [mutated(draw, Buffer.concat(frames))] : frames,
    isEarly: draw.percent(20),
    isAsked: isAsked && !isMutated,
    leaving,
  }
}

function written(first: string, headers: readonly string[]): Buffer {
  return Buffer.from(`${[first, ...headers].join('\r\n')}\r\n\r\n`, 'latin1')
}

const HEADERS: readonly string[] = [
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Key: ${KEY}`,
  'Sec-WebSocket-Version: 13',
]

function sound(draw: Draw): Buffer {
  const more = draw.percent(25)
    ? [
        draw.of([
          'Sec-WebSocket-Protocol: chat, echo',
          'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
          'Origin: https://nobody.invalid',
          'Cookie: a=b',
          'Expect: 100-continue',
          'Content-Length: 0',
        ]),
      ]
    : []
  return written(`GET /ws${draw.percent(10) ? '?a=b' : ''} HTTP/1.1`, [...HEADERS, ...more])
}

/** A handshake of which something is wrong, and now and then anything. */
function odd(draw: Draw): Buffer {
  const replaced = (at: number, line: string): Buffer =>
    written(
      'GET /ws HTTP/1.1',
      HEADERS.map((known, i) => (i === at ? line : known)),
    )
  const added = (line: string): Buffer => written('GET /ws HTTP/1.1', [...HEADERS, line])
  const odd = plain(text(draw))
  return draw.way<Buffer>([
    [2, () => replaced(draw.int(0, 4), 'X-Odd: 1')],
    [2, () => replaced(1, `Upgrade: ${draw.of(['websocket, h2c', 'h2c', 'websocket/13', odd])}`)],
    [2, () => replaced(2, `Connection: ${draw.of(['keep-alive', 'upgrade, close', odd])}`)],
    [
      2,
      () =>
        replaced(
          3,
          `Sec-WebSocket-Key: ${draw.of(['', 'x', 'A'.repeat(24), `${KEY}${KEY}`, odd])}`,
        ),
    ],
    [
      2,
      () => replaced(4, `Sec-WebSocket-Version: ${draw.of(['8', '0', '14', '13, 8', '-1', odd])}`),
    ],
    [
      2,
      () =>
        added(
          `Sec-WebSocket-Protocol: ${draw.of(['', ',', 'a,a', 'a b', '"a"', 'x'.repeat(5_000), odd])}`,
        ),
    ],
    [
      2,
      () =>
        added(
          `Sec-WebSocket-Extensions: ${draw.of(['', ';', 'x; y="', 'permessage-deflate; server_max_window_bits=99', odd])}`,
        ),
    ],
    [
      1,
      () =>
        added(
          draw.of([
            `Sec-WebSocket-Key: ${KEY}`,
            'Sec-WebSocket-Version: 13',
            'Host: b',
            'Content-Length: 9',
            'Transfer-Encoding: chunked',
            'Expect: x',
          ]),
        ),
    ],
    [
      1,
      () =>
        written(`${draw.of(['POST', 'HEAD', 'OPTIONS', 'CONNECT', 'PUT'])} /ws HTTP/1.1`, HEADERS),
    ],
    [
      1,
      () =>
        written(
          `GET ${draw.of(['/', '/ws/', '/WS', '/%77s', '/fetch', '/usage', 'ws://127.0.0.1/ws', '*'])} HTTP/1.1`,
          HEADERS,
        ),
    ],
    [1, () => written(`GET /ws ${draw.of(['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9'])}`, HEADERS)],
    [1, () => written(`GET /ws${'?'.padEnd(draw.of([100, 33_000]), 'a')} HTTP/1.1`, HEADERS)],
    [6, () => mutated(draw, sound(draw))],
  ])
}

/** A frame of a caller: masked, whole, and as short as it may be, unless it is told otherwise. */
function frame(
  opcode: number,
  data: Buffer,
  {
    bits = 0x80,
    isMasked = true,
    length = data.length,
  }: { bits?: number; isMasked?: boolean; length?: number | bigint } = {},
): Buffer {
  const mask = Buffer.from([1, 2, 3, 4])
  const head = lengthOf(length)
  head[0] = bits | opcode
  if (!isMasked) return Buffer.concat([head, data])
  head[1] |= 0x80
  const masked = Buffer.from(data)
  for (let i = 0; i < masked.length; i++) masked[i] ^= mask[i & 3]
  return Buffer.concat([head, mask, masked])
}

function lengthOf(length: number | bigint): Buffer {
  const isLong = length > 65_535
  const head = Buffer.alloc(length < 126 ? 2 : isLong ? 10 : 4)
  head[1] = length < 126 ? Number(length) : isLong ? 127 : 126
  if (isLong) head.writeBigUInt64BE(BigInt(length), 2)
  else if (length >= 126) head.writeUInt16BE(Number(length), 2)
  return head
}

/** The first message: mostly one that asks for a target. */
function firstMessage(draw: Draw, world: World): Buffer {
  if (draw.percent(35)) {
    return Buffer.from(JSON.stringify({ apiKey: world.keys.roomy, url: world.socketTarget }))
  }
  const often = (percent: number, fields: () => object): object =>
    draw.percent(percent) ? fields() : {}
  return json(draw, {
    apiKey: apiKey(draw, world),
    url: draw.percent(65) ? world.socketTarget : url(draw, world).replace(/^http/, 'ws'),
    ...often(15, () => ({
      headers: {
        [draw.of([
          'x-a',
          'host',
          'cookie',
          'sec-websocket-protocol',
          'sec-websocket-key',
          'connection',
          text(draw),
        ])]: text(draw),
      },
    })),
    ...often(10, () => ({ cookies: { [draw.percent(50) ? 'a' : text(draw)]: text(draw) } })),
    ...often(15, () => ({ geo: geo(draw) })),
    ...often(8, () => ({ agent: draw.of(['a1', 'a2', 'nobody', text(draw)]) })),
    ...often(8, () => ({ idle_timeout: draw.of([1, 3600, 0, -1, 1e9, 0.5]) })),
    ...often(4, () => ({ [text(draw)]: strange(draw) })),
  })
}

/** Something else than a text that is a message. */
function oddFirst(draw: Draw, world: World): Buffer[] {
  const message = firstMessage(draw, world)
  const half = message.length >> 1
  return draw.way<Buffer[]>([
    [2, () => [frame(OPCODES.binary, message)]],
    [
      2,
      () => [
        frame(OPCODES.text, message.subarray(0, half), { bits: 0 }),
        frame(OPCODES.continuation, message.subarray(half)),
      ],
    ],
    [
      1,
      () => [
        frame(OPCODES.text, message.subarray(0, half), { bits: 0 }),
        frame(OPCODES.ping, Buffer.from('x')),
        frame(OPCODES.continuation, message.subarray(half)),
      ],
    ],
    [1, () => [frame(OPCODES.text, message.subarray(0, half), { bits: 0 })]],
    [2, () => [frame(OPCODES.text, Buffer.alloc(0))]],
    [1, () => [frame(OPCODES.text, Buffer.alloc(draw.of([65_536, 65_537, 70_000]), 0x20))]],
    [2, () => [frame(OPCODES.text, Buffer.from(JSON.stringify(strange(draw))))]],
    [1, () => [frame(OPCODES.text, Buffer.from(`{"apiKey":${'['.repeat(30_000)}`))]],
    [
      2,
      () => Array.from({ length: draw.of([1, 70]) }, () => frame(OPCODES.ping, Buffer.from('x'))),
    ],
    [3, () => [laterFrame(draw)]],
    [1, () => []],
  ])
}

const CODES = [
  0, 999, 1000, 1001, 1004, 1005, 1006, 1007, 1008, 1011, 1015, 1016, 2999, 3000, 4999, 5000,
  65_535,
]

/** Any frame, right and wrong ones. */
function laterFrame(draw: Draw): Buffer {
  const some = draw.bytes(draw.int(0, 40))
  const opcode = draw.of(Object.values(OPCODES))
  const closing = (code: number, reason: Buffer): Buffer =>
    frame(OPCODES.close, Buffer.concat([Buffer.from([code >> 8, code & 255]), reason]))
  return draw.way<Buffer>([
    [5, () => frame(OPCODES.text, Buffer.from(text(draw)))],
    [4, () => frame(OPCODES.binary, some)],
    [2, () => frame(draw.of([OPCODES.ping, OPCODES.pong]), some)],
    [2, () => frame(OPCODES.text, some)],
    [2, () => frame(opcode, some, { bits: draw.of([0x00, 0x40, 0x20, 0x10, 0xc0, 0xf0]) })],
    [1, () => frame(draw.of([3, 7, 11, 15]), some)],
    [2, () => frame(opcode, some, { isMasked: false })],
    [
      2,
      () =>
        frame(opcode, some, {
          length: draw.of<number | bigint>([
            126,
            200,
            65_536,
            4 * 1024 * 1024 + 1,
            2n ** 31n,
            2n ** 53n,
            2n ** 63n,
            2n ** 64n - 1n,
          ]),
        }),
    ],
    [1, () => frame(OPCODES.ping, Buffer.alloc(126))],
    [1, () => frame(OPCODES.continuation, some)],
    [1, () => Buffer.concat([frame(OPCODES.text, some, { bits: 0 }), frame(OPCODES.text, some)])],
    [
      1,
      () =>
        Buffer.concat(
          Array.from({ length: 300 }, () =>
            frame(OPCODES.continuation, Buffer.alloc(0), { bits: 0 }),
          ),
        ),
    ],
    [3, () => closing(draw.of(CODES), Buffer.from(draw.percent(70) ? '' : 'bye'))],
    [1, () => closing(1000, Buffer.from([0xff, 0xfe]))],
    [1, () => closing(1000, Buffer.alloc(124, 0x61))],
    [1, () => frame(OPCODES.close, Buffer.alloc(draw.int(0, 1)))],
    [1, () => frame(OPCODES.text, Buffer.alloc(draw.of([126, 65_535, 65_536, 200_000]), 0x61))],
    [1, () => some],
  ])
}
