import { setMaxListeners, type EventEmitter } from 'node:events'
import type { Mode, Scheduler, Store, VendorRule } from '@ostler/core'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { Dispatcher } from './agents/dispatch.ts'
import type { Admission } from './http/admission.ts'
import { ApiError } from './http/api-error.ts'
import type { Operations } from './http/idempotency.ts'
import type { Turns } from './http/turns.ts'
import type { ResolvedGatewayOptions } from './options.ts'
import type { Guard } from './target/guard.ts'
import type { Counters } from './usage/counters.ts'
import type { Metrics } from './usage/metrics.ts'
import type { Tally } from './usage/tally.ts'
import type { Sockets } from './ws/sockets.ts'

/** An app whose routes' types follow from their schemas. */
export type Routes = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** What the routes of a gateway share. */
export interface House {
  readonly options: ResolvedGatewayOptions
  readonly store: Store<Mode>
  readonly scheduler: Scheduler<Mode>
  readonly admission: Admission
  readonly operations: Operations
  readonly guard: Guard
  readonly dispatcher: Dispatcher
  readonly counters: Counters
  readonly metrics: Metrics
  readonly tally: Tally
  readonly rules: readonly VendorRule[] | null
  readonly maxResponseBytes: number
  readonly workshop: Workshop
  readonly sockets: Sockets
  readonly turns: Turns
  nowMs(): number
}

/** Who waits for work, and may hang up. */
export interface Caller {
  readonly raw: Pick<EventEmitter, 'once' | 'off'> & { readonly destroyed?: boolean }
}

/** All work for callers that is under way: bounded, and ended when the caller goes away or the gateway closes. */
export class Workshop {
  readonly #most: number
  readonly #running = new Set<AbortController>()
  readonly #closing = new AbortController()

  constructor(most: number) {
    this.#most = most
    setMaxListeners(0, this.#closing.signal)
  }

  get size(): number {
    return this.#running.size
  }

  get isClosing(): boolean {
    return this.#closing.signal.aborted
  }

  /** Aborted once no new work is taken: what would go on for ever ends itself then. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Runs work until it is done; its signal aborts when the caller hangs up. @throws ApiError SHUTTING_DOWN, OVERLOADED */
  async work<T>(caller: Caller, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.isClosing) {
      throw new ApiError('SHUTTING_DOWN', 'the gateway is shutting down', { retryAfterMs: 1000 })
    }
    if (this.#running.size >= this.#most) {
      const message = `${this.#most} requests are under way, which is as many as may be`
      throw new ApiError('OVERLOADED', message, { retryAfterMs: 1000 })
    }
    const controller = new AbortController()
    const hangUp = (): void => controller.abort()
    this.#running.add(controller)
    caller.raw.once('close', hangUp)
    // Who hung up before this was heard by nobody.
    if (caller.raw.destroyed === true) hangUp()
    try {
      return await run(controller.signal)
    } finally {
      caller.raw.off('close', hangUp)
      this.#running.delete(controller)
    }
  }

  /** No new work from now on. */
  close(): void {
    this.#closing.abort()
  }

  /** Ends what is still running. */
  abort(): void {
    for (const controller of this.#running) controller.abort()
  }
}
