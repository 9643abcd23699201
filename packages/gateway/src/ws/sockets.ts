import { setTimeout } from 'node:timers/promises'
import { callerOf } from '../http/address.ts'
import { ApiError } from '../http/api-error.ts'
import { SocketFailure } from './failure.ts'
import type { ResolvedSocketOptions } from './options.ts'

/** How long callers may take to answer the gateway's last word. */
const GRACE_MS = 2_000
const POLL_MS = 10

/** One WebSocket's place among the others. */
export interface Seat {
  /** Aborts when the gateway closes, or the WebSocket must end; its reason is a {@link SocketFailure}. */
  readonly signal: AbortSignal
  /** Ends the WebSocket. */
  end(failure: SocketFailure): void
  /** Its first message is there. */
  arrived(): void
  /** Has something ended at once where the gateway can't wait for a proper end. */
  holds(ending: () => void): void
  /** It is over, and nothing of it is left. */
  leave(): void
}

interface Sitting {
  readonly controller: AbortController
  readonly endings: (() => void)[]
}

/** All WebSockets of a gateway: bounded, and closed with it. */
export class Sockets {
  readonly #options: Pick<ResolvedSocketOptions, 'maxOpen' | 'maxWaiting' | 'maxWaitingPerAddress'>
  readonly #open = new Set<Sitting>()
  readonly #waitingBy = new Map<string, number>()
  #waiting = 0
  #isClosing = false

  constructor(
    options: Pick<ResolvedSocketOptions, 'maxOpen' | 'maxWaiting' | 'maxWaitingPerAddress'>,
  ) {
    this.#options = options
  }

  get size(): number {
    return this.#open.size
  }

  /** Lets a WebSocket in that waits for its first message. @throws ApiError SHUTTING_DOWN, OVERLOADED, RATE_LIMITED */
  enter(address: string): Seat {
    if (this.#isClosing) throw new ApiError('SHUTTING_DOWN', 'the gateway is shutting down')
    const { maxOpen, maxWaiting, maxWaitingPerAddress } = this.#options
    if (this.#open.size >= maxOpen) {
      throw new ApiError('OVERLOADED', `${maxOpen} WebSockets are open, which is as many as may be`)
    }
    if (this.#waiting >= maxWaiting) {
      const message = `${maxWaiting} WebSockets wait for their first message, which is as many as may`
      throw new ApiError('OVERLOADED', message, { retryAfterMs: 1000 })
    }
    const caller = callerOf(address)
    const waiting = this.#waitingBy.get(caller) ?? 0
    if (waiting >= maxWaitingPerAddress) {
      const message = `${waiting} WebSockets from your address wait for their first message, which is as many as may`
      throw new ApiError('RATE_LIMITED', message, { retryAfterMs: 1000 })
    }
    this.#waiting++
    this.#waitingBy.set(caller, waiting + 1)
    return this.#seat(caller)
  }

  /** Lets nobody in, tells everyone, and resolves when all are gone: those who do not answer for 2 s are not waited for. */
  async close(): Promise<void> {
    this.#isClosing = true
    const failure = new SocketFailure('SHUTTING_DOWN', 'the gateway is shutting down')
    for (const { controller } of this.#open) controller.abort(failure)
    await this.#emptied()
    for (const { endings } of this.#open) for (const end of endings) end()
    await this.#emptied()
  }

  async #emptied(): Promise<void> {
    const untilMs = Date.now() + GRACE_MS
    while (this.#open.size > 0 && Date.now() < untilMs) await setTimeout(POLL_MS)
  }

  #seat(caller: string): Seat {
    const controller = new AbortController()
    const sitting: Sitting = { controller, endings: [] }
    this.#open.add(sitting)
    let isWaiting = true
    const arrived = (): void => {
      if (!isWaiting) return
      isWaiting = false
      this.#waiting--
      const left = (this.#waitingBy.get(caller) ?? 1) - 1
      if (left === 0) this.#waitingBy.delete(caller)
      else this.#waitingBy.set(caller, left)
    }
    return {
      signal: controller.signal,
      end: (failure) => controller.abort(failure),
      arrived,
      holds: (ending) => void sitting.endings.push(ending),
      leave: () => {
        arrived()
        this.#open.delete(sitting)
      },
    }
  }
}
