// hot path: a choice of two reads all of this of both, and every pick and report writes some. What is read together lies together,
// for in a large fleet each agent is a cache miss; and in chunks, for one array that grows is copied while everybody waits.

import { roomFor } from '../room.ts'
import { DEFAULT_CONCURRENCY } from './agent.ts'

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

const IN_FLIGHT = 0
const LATENCY = 1
const LAST_PICK = 2
const PICKED_AT = 3
const USE_BITS = 2

/** How long after an agent's last pick its latency estimate counts. */
const TRUSTED_MS = 60_000
/** The moving mean goes this share of the way to each new latency. */
const LATENCY_SHARE = 1 / 5

const WEIGHT = 0
const CAPACITY = 1
const POWER_BITS = 1

// Agents that were never picked share this chunk, and agents that say nothing of themselves the other: read, and never written.
const IDLE = new Float64Array(CHUNK << USE_BITS)
const USUAL = new Float64Array(CHUNK << POWER_BITS)
for (let i = 0; i < CHUNK; i++) {
  USUAL[(i << POWER_BITS) | WEIGHT] = 1
  USUAL[(i << POWER_BITS) | CAPACITY] = DEFAULT_CONCURRENCY
}

/**
 * How busy each agent is, and how much it can take; agents are small integers. 32 bytes for each 1,024 agents of which one was
 * ever picked, 16 where one has a weight or a concurrency of its own.
 */
export class Loads {
  readonly #uses: Float64Array[] = []
  readonly #powers: Float64Array[] = []

  /** Dispatches that are on their way. */
  inFlight(agent: number): number {
    return this.#uses[agent >>> CHUNK_BITS][((agent & IN_CHUNK) << USE_BITS) | IN_FLIGHT]
  }

  /** The moving mean of ok dispatches, ms; 0 while unknown. */
  latencyMs(agent: number): number {
    return this.#uses[agent >>> CHUNK_BITS][((agent & IN_CHUNK) << USE_BITS) | LATENCY]
  }

  /** The number of the pick that chose it last; 0 before the first. */
  lastPick(agent: number): number {
    return this.#uses[agent >>> CHUNK_BITS][((agent & IN_CHUNK) << USE_BITS) | LAST_PICK]
  }

  /** The instant of that pick. */
  pickedAtMs(agent: number): number {
    return this.#uses[agent >>> CHUNK_BITS][((agent & IN_CHUNK) << USE_BITS) | PICKED_AT]
  }

  weight(agent: number): number {
    return this.#powers[agent >>> CHUNK_BITS][((agent & IN_CHUNK) << POWER_BITS) | WEIGHT]
  }

  /** Dispatches that it takes at once. */
  capacity(agent: number): number {
    return this.#powers[agent >>> CHUNK_BITS][((agent & IN_CHUNK) << POWER_BITS) | CAPACITY]
  }

  /** Whether it has no free slot. */
  isFull(agent: number): boolean {
    const chunk = agent >>> CHUNK_BITS
    const inFlight = this.#uses[chunk][((agent & IN_CHUNK) << USE_BITS) | IN_FLIGHT]
    return inFlight >= this.#powers[chunk][((agent & IN_CHUNK) << POWER_BITS) | CAPACITY]
  }

  /**
   * Whether the first of two is the less loaded for its weight and latency; of equals the one picked longer ago, then the first.
   * An estimate that no pick has refreshed for a minute is not trusted: the agent counts as fast as the other, so that none starves.
   */
  isFirstLighter(first: number, second: number, nowMs: number): boolean {
    const uses = this.#uses[first >>> CHUNK_BITS]
    const others = this.#uses[second >>> CHUNK_BITS]
    const use = (first & IN_CHUNK) << USE_BITS
    const other = (second & IN_CHUNK) << USE_BITS
    let load = (uses[use | IN_FLIGHT] + 1) / this.weight(first)
    let otherLoad = (others[other | IN_FLIGHT] + 1) / this.weight(second)
    const latencyMs = uses[use | LATENCY]
    const otherMs = others[other | LATENCY]
    if (
      latencyMs > 0 &&
      otherMs > 0 &&
      nowMs - uses[use | PICKED_AT] < TRUSTED_MS &&
      nowMs - others[other | PICKED_AT] < TRUSTED_MS
    ) {
      load *= latencyMs
      otherLoad *= otherMs
    }
    // Compared, not subtracted: both may be Infinity.
    if (load !== otherLoad) return load < otherLoad
    return uses[use | LAST_PICK] <= others[other | LAST_PICK]
  }

  addInFlight(agent: number, by: number): void {
    this.#useOf(agent)[((agent & IN_CHUNK) << USE_BITS) | IN_FLIGHT] += by
  }

  /** Takes in the latency of an ok dispatch: the mean goes a fifth of the way to it. */
  addLatency(agent: number, latencyMs: number): void {
    const use = this.#useOf(agent)
    const at = ((agent & IN_CHUNK) << USE_BITS) | LATENCY
    const meanMs = use[at]
    use[at] = meanMs === 0 ? latencyMs : meanMs + (latencyMs - meanMs) * LATENCY_SHARE
  }

  setPicked(agent: number, pick: number, nowMs: number): void {
    const use = this.#useOf(agent)
    const at = (agent & IN_CHUNK) << USE_BITS
    use[at | LAST_PICK] = pick
    use[at | PICKED_AT] = nowMs
  }

  /** Starts a new agent: idle, and never picked. */
  open(agent: number, weight: number, capacity: number): void {
    const chunk = agent >>> CHUNK_BITS
    if (chunk === this.#uses.length) {
      this.#uses.push(IDLE)
      this.#powers.push(USUAL)
    }
    if (this.#uses[chunk] !== IDLE) {
      const at = (agent & IN_CHUNK) << USE_BITS
      this.#uses[chunk].fill(0, at, at + (1 << USE_BITS))
    }
    this.describe(agent, weight, capacity)
  }

  /** Sets how much an agent can take; what it has in flight goes on. */
  describe(agent: number, weight: number, capacity: number): void {
    if (this.weight(agent) === weight && this.capacity(agent) === capacity) return
    const chunk = agent >>> CHUNK_BITS
    if (this.#powers[chunk] === USUAL) this.#powers[chunk] = USUAL.slice()
    const at = (agent & IN_CHUNK) << POWER_BITS
    this.#powers[chunk][at | WEIGHT] = weight
    this.#powers[chunk][at | CAPACITY] = capacity
  }

  /** The chunk of an agent, to write to. */
  #useOf(agent: number): Float64Array {
    const chunk = agent >>> CHUNK_BITS
    if (this.#uses[chunk] === IDLE) {
      this.#uses[chunk] = new Float64Array(roomFor((CHUNK << USE_BITS) * 8, chunk))
    }
    return this.#uses[chunk]
  }
}
