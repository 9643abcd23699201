import { OstlerError, type Tat } from '@ostler/core'
import { MOST_HITS, type Log } from './log.ts'

// hot path: each admission packs one of these per policy. Numbers are packed seven bits a byte, lowest first, the eighth bit set
// where more follow; a log is its window, its first instant and cost, then steps in time and costs: 3 to 5 bytes a hit. The bytes
// are bound before the next state is packed, so all share one buffer.

const MOST_BYTES_A_NUMBER = 8

const packed = Buffer.alloc((MOST_HITS * 2 + 1) * MOST_BYTES_A_NUMBER)

/** Packs a log. The bytes hold until the next call of a `pack`. O(hits). */
export function packLog({ windowMs, atMs, upTo, first, dropped }: Log): Buffer {
  let end = put(windowMs, 0)
  let beforeMs = 0
  let before = dropped
  for (let i = first; i < atMs.length; i++) {
    const hitMs = atMs[i]
    const sum = upTo[i]
    end = put(sum - before, put(hitMs - beforeMs, end))
    beforeMs = hitMs
    before = sum
  }
  return packed.subarray(0, end)
}

/** Fills an empty log. @throws OstlerError STORE_UNAVAILABLE for bytes that no log has */
export function unpackLog(bytes: Buffer, log: Log): void {
  at = 0
  log.windowMs = take(bytes)
  let atMs = 0
  while (at < bytes.length) {
    atMs += take(bytes)
    log.push(atMs, take(bytes))
  }
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
