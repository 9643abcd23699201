import { memoryStore, Scheduler, type Tier } from '@ostler/core'
import { parseLogLine } from './combined.ts'
import { splitLines } from './lines.ts'
import { Reorder } from './reorder.ts'

export interface ReplayOptions {
  readonly tier: Tier
  readonly by: 'ip' | 'user'
  /** How far out of order lines may be. */
  readonly reorderMs: number
  /** Told of each line that is no request. */
  readonly onBad: (line: number, reason: string) => void
}

/** Who would have been limited, when. Times are ms since the epoch, of the log. */
export interface Replayed {
  readonly lines: number
  readonly bad: number
  /** Hits so far out of order that they were given a later time. */
  readonly clamped: number
  readonly requests: number
  readonly limited: number
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly clients: number
  /** Those that were limited at all, the most limited first. */
  readonly limitedClients: readonly ClientReplay[]
}

export interface ClientReplay {
  readonly client: string
  readonly requests: number
  readonly limited: number
  readonly firstLimitedAtMs: number
  /**
   * The longest that a refusal told it to wait; null where the tier would never have let it
   * through.
   */
  readonly longestWaitMs: number | null
}

interface Count {
  requests: number
  limited: number
  firstLimitedAtMs: number
  longestWaitMs: number
  never: boolean
}

const MOST_LINE = 65_536
const MOST_CLIENTS = 1_000_000

/**
 * Lets a log's clients pass through a tier, at the log's own times. Reads it as a stream; memory
 * grows with its clients only.
 */
export async function replayLog(
  chunks: AsyncIterable<Uint8Array | string>,
  options: ReplayOptions,
): Promise<Replayed> {
  const gate = new Gate(options.tier)
  const reorder = new Reorder(options.reorderMs, (client, atMs) => gate.pass(client, atMs))
  let lines = 0
  let bad = 0
  for await (const line of splitLines(chunks, MOST_LINE)) {
    lines++
    if (line === '') continue
    const parsed = line === null ? `has more than ${MOST_LINE} characters` : parseLogLine(line)
    if (typeof parsed === 'string') {
      bad++
      options.onBad(lines, parsed)
    } else reorder.add({ client: parsed[options.by], atMs: parsed.atMs })
  }
  reorder.end()
  gate.close()
  return { lines, bad, clamped: reorder.clamped, ...gate.counts() }
}

/** A scheduler whose clock is the log's, and the counts of what it said. */
class Gate {
  readonly #counts = new Map<string, Count>()
  readonly #scheduler: Scheduler<'sync'>
  #nowMs = 1
  #fromMs: number | null = null
  #requests = 0
  #limited = 0

  constructor(tier: Tier) {
    this.#scheduler = new Scheduler({
      store: memoryStore(),
      tiers: { replay: tier },
      clock: { nowMs: () => this.#nowMs },
    })
  }

  pass(client: string, atMs: number): void {
    this.#nowMs = atMs
    this.#fromMs ??= atMs
    this.#requests++
    const { allowed, retryAfterMs } = this.#scheduler.admit({ key: client, tier: 'replay' })
    const count = this.#countOf(client)
    count.requests++
    if (allowed) return
    this.#limited++
    if (count.limited === 0) count.firstLimitedAtMs = atMs
    count.limited++
    if (retryAfterMs < 0) count.never = true
    count.longestWaitMs = Math.max(count.longestWaitMs, retryAfterMs)
  }

  close(): void {
    this.#scheduler.close()
  }

  counts(): Omit<Replayed, 'lines' | 'bad' | 'clamped'> {
    const limited = [...this.#counts]
      .filter(([, count]) => count.limited > 0)
      .sort(([a, m], [b, n]) => n.limited - m.limited || (a < b ? -1 : 1))
    return {
      requests: this.#requests,
      limited: this.#limited,
      fromMs: this.#fromMs,
      toMs: this.#fromMs === null ? null : this.#nowMs,
      clients: this.#counts.size,
      limitedClients: limited.map(([client, { never, longestWaitMs, ...count }]) => ({
        client,
        ...count,
        longestWaitMs: never ? null : longestWaitMs,
      })),
    }
  }

  /** Clients beyond the bound are counted as one. */
  #countOf(client: string): Count {
    const known = this.#counts.get(client)
    if (known !== undefined) return known
    if (this.#counts.size >= MOST_CLIENTS && client !== 'others') return this.#countOf('others')
    const count = { requests: 0, limited: 0, firstLimitedAtMs: 0, longestWaitMs: 0, never: false }
    this.#counts.set(client, count)
    return count
  }
}
