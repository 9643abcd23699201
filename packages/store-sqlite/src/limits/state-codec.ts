// hot path: each row that a batch has changed is packed here. Numbers are packed seven bits a byte, lowest first, the eighth bit set
// where more follow; a log is its window, its first instant and cost, then steps in time and costs: 3 to 5 bytes a hit. The bytes
// are bound before the next state is packed, so all share one buffer.

import { OstlerError, type Tat } from '@ostler/core'
import { layout, type HitLogs } from '@ostler/core/packed'

const { ARENA_BITS, ARENA_MASK, BASE_STEP_MS } = layout
const { BLOCK, CLASS, META, NEWEST, PAIRS, RING, SUM, WINDOW } = layout
const MOST_BYTES_A_NUMBER = 8
/** The most that a log of core holds. */
const MOST_HITS = 4_096

const packed = Buffer.alloc((MOST_HITS * 2 + 1) * MOST_BYTES_A_NUMBER)

/** Packs the log in the record that starts there. The bytes hold until the next call of a `pack`. O(hits). */
export function packLog({ arena }: HitLogs, words: Uint32Array, start: number): Buffer {
  const meta = words[start + META]
  const ring = words[start + RING]
  const count = ring & 0xffff
  const baseMs = (meta >>> 5) * BASE_STEP_MS
  let end = put(words[start + WINDOW], 0)
  if (count === 0) return packed.subarray(0, end)
  if ((meta & CLASS) === 0) {
    end = put(words[start + SUM], put(baseMs + words[start + NEWEST], end))
    return packed.subarray(0, end)
  }
  const address = words[start + BLOCK]
  const block = arena.segments[address >>> ARENA_BITS]
  const width = (meta & PAIRS) >>> 4
  const offset = address & ARENA_MASK
  const mask = (1 << ((meta & CLASS) - width)) - 1
  const head = ring >>> 16
  let at = block[offset + ((head & mask) << width)]
  end = put(baseMs + at, end)
  if (width === 0) {
    let cost = 1
    for (let i = 1; i < count; i++) {
      const next = block[offset + ((head + i) & mask)]
      if (next === at) cost++
      else {
        end = put(next - at, put(cost, end))
        at = next
        cost = 1
      }
    }
    return packed.subarray(0, put(cost, end))
  }
  // Sums are modulo 2^32, the last one less the cost of all is where they began.
  let sum = block[offset + (((head + count - 1) & mask) << 1) + 1] - words[start + SUM]
  for (let i = 0; i < count; i++) {
    const entry = offset + (((head + i) & mask) << 1)
    if (i > 0) end = put(block[entry] - at, end)
    end = put((block[entry + 1] - sum) >>> 0, end)
    at = block[entry]
    sum = block[entry + 1]
  }
  return packed.subarray(0, end)
}

/** Tells of each hit that was packed, oldest first; gives the window. @throws OstlerError STORE_UNAVAILABLE for bytes that no log has */
export function readLog(bytes: Buffer, tell: (atMs: number, cost: number) => void): number {
  at = 0
  const windowMs = take(bytes)
  let atMs = 0
  while (at < bytes.length) {
    atMs += take(bytes)
    tell(atMs, take(bytes))
  }
  return windowMs
}

/** Packs an arrival time. The bytes hold until the next call of a `pack`. */
export function packTat({ wholeMs, rest, limit, windowMs, sinceMs }: Tat): Buffer {
  let end = 0
  for (const value of [wholeMs, rest, limit, windowMs, sinceMs]) end = put(value, end)
  return packed.subarray(0, end)
}

/** @throws OstlerError STORE_UNAVAILABLE for bytes that no arrival time has */
export function unpackTat(bytes: Buffer): Tat {
  at = 0
  return {
    wholeMs: take(bytes),
    rest: take(bytes),
    limit: take(bytes),
    windowMs: take(bytes),
    sinceMs: take(bytes),
  }
}

/** Where the next number is taken from. */
let at = 0

/** Gives where the next number goes. */
function put(value: number, start: number): number {
  let end = start
  let rest = value
  while (rest > 0x7fff_ffff) {
    packed[end++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  while (rest > 127) {
    packed[end++] = (rest & 127) | 128
    rest >>>= 7
  }
  packed[end++] = rest
  return end
}

function take(bytes: Buffer): number {
  let value = 0
  let scale = 1
  for (let i = 0; i < MOST_BYTES_A_NUMBER; i++) {
    const byte = bytes[at++]
    value += (byte & 127) * scale
    if (byte < 128) return value
    scale *= 128
  }
  throw new OstlerError('STORE_UNAVAILABLE', 'the file is damaged: a key’s state cannot be read')
}
