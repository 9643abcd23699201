import { OstlerError, type Hit, type HitLog, type Tat } from '@ostler/core'

// hot path: each consume reads and writes one of these per policy. Numbers are packed seven bits a byte, lowest first, the
// eighth bit set where more follow; a log is its window, its first instant and cost, then steps in time and costs: 3 to 5 bytes
// a hit. The bytes are bound before the next state is packed, so all share one buffer.

/** Only quanta that change from call to call make a log longer: then its oldest hits count as long as the next one. */
export const MOST_HITS = 4_096
const MOST_BYTES_A_NUMBER = 8

const packed = Buffer.alloc((MOST_HITS * 2 + 1) * MOST_BYTES_A_NUMBER)
let end = 0

/** Packs a log. The bytes hold until the next call of a `pack`. O(hits). */
export function packLog(log: HitLog): Buffer {
  end = 0
  put(log.windowMs)
  let beforeMs = 0
  let carried = 0
  let surplus = log.hits.length - MOST_HITS
  for (const { atMs, cost } of log.hits) {
    if (surplus-- > 0) {
      carried += cost
      continue
    }
    put(atMs - beforeMs)
    put(cost + carried)
    beforeMs = atMs
    carried = 0
  }
  return packed.subarray(0, end)
}

/** @throws OstlerError STORE_UNAVAILABLE for bytes that no log has */
export function unpackLog(bytes: Buffer): HitLog {
  at = 0
  const windowMs = take(bytes)
  const hits: Hit[] = []
  let atMs = 0
  while (at < bytes.length) {
    atMs += take(bytes)
    hits.push({ atMs, cost: take(bytes) })
  }
  return { hits, windowMs }
}

/** Packs an arrival time. The bytes hold until the next call of a `pack`. */
export function packTat(tat: Tat): Buffer {
  end = 0
  put(tat.wholeMs)
  put(tat.rest)
  put(tat.limit)
  put(tat.windowMs)
  put(tat.sinceMs)
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

function put(value: number): void {
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
