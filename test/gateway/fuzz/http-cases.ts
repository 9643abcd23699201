import { Draw } from './draw.ts'
import type { Leaving } from './exchange.ts'
import { breakFraming, FRAMINGS, spoilHead, written } from './framing.ts'
import { mutated } from './mutate.ts'
import { request, type Request } from './requests.ts'
import type { World } from './world.ts'

export interface HttpCase {
  /** Each goes out by itself. */
  readonly writes: readonly Buffer[]
  readonly leaving: Leaving
  /** Requests that are there to their last byte: each of them is answered, whatever is wrong with it. 0 where nobody can tell. */
  readonly whole: number
  /** An answer to a HEAD has no body, so whoever reads answers must know. */
  readonly mayBeHead: boolean
}

/** The case of this number: the same bytes whenever it is drawn, but for ports. */
export function httpCase(seed: number, index: number, world: World): HttpCase {
  const draw = new Draw(seed, index)
  const leaving = draw.percent(86) ? 'served' : draw.of(['ends', 'resets'] as const)
  if (draw.percent(2)) return { ...noise(draw), leaving, whole: 0, mayBeHead: false }
  const count = draw.percent(14) ? draw.int(2, 5) : 1
  const parts = Array.from({ length: count }, () => one(draw, world))
  const sent = Buffer.concat(parts.map(({ bytes }) => bytes))
  const isMutated = draw.percent(22)
  const bytes = isMutated ? mutated(draw, sent) : sent
  // Who asks for more behind a stream is hung up on.
  const isHungUpOn = parts.slice(0, -1).some(({ isStream }) => isStream)
  const isWhole = !isMutated && !isHungUpOn && parts.every((part) => part.isWhole)
  return {
    writes: cut(draw, bytes),
    leaving,
    whole: isWhole ? count : 0,
    mayBeHead: bytes.includes('HEAD'),
  }
}

interface Part {
  readonly bytes: Buffer
  readonly isWhole: boolean
  /** Whether its answer may go on for ever. */
  readonly isStream: boolean
}

function one(draw: Draw, world: World): Part {
  const asked: Request = request(draw, world)
  if (draw.percent(25)) spoilHead(draw, asked)
  const isStream = asked.path === '/amqp/consume' || asked.headers.some(isForStream)
  // With a length of its own as well nobody can tell where it ends.
  const isPlain = !asked.headers.some(([name]) => name === 'transfer-encoding')
  if (draw.percent(82)) return { bytes: written(draw, asked), isWhole: isPlain, isStream }
  const bytes = draw.percent(40)
    ? draw.of(FRAMINGS)(draw, asked)
    : breakFraming(draw, written(draw, asked))
  return { bytes, isWhole: false, isStream }
}

function isForStream([name, value]: readonly [string, string]): boolean {
  return name === 'accept' && value === 'text/event-stream'
}

/** Other protocols, and nothing at all. */
function noise(draw: Draw): Pick<HttpCase, 'writes'> {
  const hello = Buffer.from('160301020001000001fc0303', 'hex')
  const bytes = draw.of([
    Buffer.alloc(0),
    Buffer.from('\r\n'.repeat(50)),
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    Buffer.concat([hello, draw.bytes(200)]),
    Buffer.from('\u0005\u0001\u0000'),
    Buffer.from('EHLO nobody.invalid\r\n'),
    Buffer.from('GET /healthz\r\n\r\n'),
    Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    draw.bytes(draw.int(1, 400)),
  ])
  return { writes: [bytes] }
}

/** In one piece, in some, or in drops. */
function cut(draw: Draw, bytes: Buffer): Buffer[] {
  if (draw.percent(80)) return [bytes]
  const drops = draw.percent(15) ? Math.min(bytes.length, 200) : 0
  const ends = Array.from({ length: drops }, (_, i) => i + 1)
  for (let i = draw.int(1, 5); i > 0; i--) ends.push(draw.int(0, bytes.length))
  ends.push(bytes.length)
  ends.sort((a, b) => a - b)
  return ends
    .map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
    .filter(({ length }) => length > 0)
}
