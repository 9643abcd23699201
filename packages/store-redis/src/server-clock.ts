import type { Clock } from '@ostler/core'

/**
 * The server's clock, as near as this process knows it. Each answer carries the server's time, which
 * it read between our sending and our receiving: the offset to the local clock lies between the two
 * differences, and moves no farther than into that interval.
 */
export class ServerClock implements Clock {
  #offsetMs = 0

  nowMs(): number {
    return Date.now() + this.#offsetMs
  }

  /** Server's minus local clock, in ms. */
  get offsetMs(): number {
    return this.#offsetMs
  }

  /** Learns from one answer. `sentMs` and `receivedMs` are readings of the local clock. */
  learn(serverMs: number, sentMs: number, receivedMs: number): void {
    const least = serverMs - receivedMs
    const most = serverMs - sentMs
    // The local clock was set between the two: nothing can be learnt.
    if (least > most) return
    this.#offsetMs = Math.min(most, Math.max(least, this.#offsetMs))
  }
}
