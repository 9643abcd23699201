import type { Draw } from './draw.ts'

/** What parsers look for, where it does not belong. */
const TOKENS = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  '\r\n\r\n',
  ' ',
  ':',
  ';',
  '\t',
  '\u007f',
  '\u00ff',
  'HTTP/1.1',
  '0\r\n\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Connection: close\r\n',
  'Connection: upgrade\r\nUpgrade: websocket\r\n',
  'Upgrade: h2c\r\n',
  'Expect: 100-continue\r\n',
  'Expect: nothing\r\n',
  'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n',
  '%00',
  '%',
  '{',
  '"',
  '\\u0000',
]

/** The same bytes, but for a few changes somewhere. */
export function mutated(draw: Draw, given: Buffer): Buffer {
  let bytes = given
  for (let i = draw.int(1, 4); i > 0 && bytes.length > 0; i--) bytes = change(draw, bytes)
  return bytes
}

function change(draw: Draw, bytes: Buffer): Buffer {
  // Most of what parsers do happens in the head.
  const at = draw.int(0, draw.percent(70) ? Math.min(bytes.length, 300) - 1 : bytes.length - 1)
  const end = Math.min(bytes.length, at + draw.int(1, 20))
  const put = (inside: Uint8Array, from = at): Buffer =>
    Buffer.concat([bytes.subarray(0, at), inside, bytes.subarray(from)])
  return draw.way<Buffer>([
    [4, () => put(Buffer.from([draw.int(0, 255)]), at + 1)],
    [2, () => put(Buffer.from([bytes[at] ^ (1 << draw.int(0, 7))]), at + 1)],
    [5, () => put(Buffer.from(draw.of(TOKENS), 'latin1'))],
    [2, () => put(draw.bytes(draw.int(1, 8)))],
    [3, () => put(Buffer.alloc(0), end)],
    [2, () => put(bytes.subarray(at, end))],
    [2, () => put(bytes.subarray(draw.int(0, at), end))],
    [1, () => Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')],
    [2, () => Buffer.from(bytes.subarray(0, at))],
    [1, () => put(Buffer.alloc(draw.of([100, 5_000, 40_000]), bytes[at]))],
  ])
}
