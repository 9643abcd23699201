import { CONNECT_WITHIN_MS } from '@ostler/api'
import { expectInteger, unknownField, type Problem } from '@ostler/core'

/** What bounds WebSockets. */
export interface SocketOptions {
  /** WebSockets at once, those without a first message among them; more are refused with 503. Default 10,000. */
  readonly maxOpen?: number
  /** WebSockets without a first message yet; more are refused with 503. Default 1,000. */
  readonly maxWaiting?: number
  /** The same of one address (of a /64, for IPv6); more are refused with 429. Default 100. */
  readonly maxWaitingPerAddress?: number
  /** The longest message in either direction, in bytes. Default 4 MiB. */
  readonly maxMessageBytes?: number
  /** What may wait to be sent in one direction before its sender is not read any more, in bytes. Default 256 KiB. */
  readonly maxQueuedBytes?: number
  /** For the first message, in ms. Default 10,000. */
  readonly connectWithinMs?: number
  /** For the tunnel, and again for the target's handshake, in ms. Default 10,000. */
  readonly openWithinMs?: number
  /** How often both sides are asked for a sign of life, in ms; who gives none until the next time is gone. Default 30,000. */
  readonly pingEveryMs?: number
  /** How long a crashed gateway's WebSockets count for their key, in ms. Default 60,000. */
  readonly permitMs?: number
}

export type ResolvedSocketOptions = Required<SocketOptions>

const MIB = 1024 * 1024
/** Default, least and most. */
const RANGES: Readonly<Record<keyof SocketOptions, readonly [number, number, number]>> = {
  maxOpen: [10_000, 1, 1_000_000],
  maxWaiting: [1_000, 1, 100_000],
  maxWaitingPerAddress: [100, 1, 100_000],
  maxMessageBytes: [4 * MIB, 1024, 64 * MIB],
  maxQueuedBytes: [256 * 1024, 1024, 64 * MIB],
  connectWithinMs: [CONNECT_WITHIN_MS, 10, 60_000],
  openWithinMs: [10_000, 10, 60_000],
  pingEveryMs: [30_000, 10, 3_600_000],
  permitMs: [60_000, 1_000, 3_600_000],
}
const FIELDS = Object.keys(RANGES) as (keyof SocketOptions)[]

/** Fills in the defaults, and adds what is wrong to the problems. */
export function resolveSocketOptions(
  options: SocketOptions,
  problems: Problem[],
): ResolvedSocketOptions {
  for (const field of Object.keys(options)) {
    if (Object.hasOwn(RANGES, field)) continue
    problems.push({ path: 'sockets', message: unknownField(field, 'the gateway', FIELDS) })
  }
  const resolved = FIELDS.map((field): [keyof SocketOptions, number] => {
    const [byDefault, least, most] = RANGES[field]
    const value = options[field] ?? byDefault
    expectInteger(problems, `sockets.${field}`, value, least, most)
    return [field, value]
  })
  return Object.fromEntries(resolved) as ResolvedSocketOptions
}
