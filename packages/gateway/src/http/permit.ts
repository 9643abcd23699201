import type { Decision, Mode, Permit, Scheduler } from '@ostler/core'
import type { House } from '../house.ts'
import type { ApiKey } from '../keys/key.ts'
import { ApiError } from './api-error.ts'

type Deciding = Pick<Scheduler<Mode>, 'admit' | 'refund' | 'renew' | 'release'>

/** Renewals within one permit's time: two may fail before it is lost. */
const RENEWALS = 3

/** A place among the connections and streams of a key. */
export interface Place {
  /** Gives it back. */
  release(): Promise<void>
}

/**
 * Counts a request of a key, and takes one of its tier's permits with it: both or neither. A tier that says nothing of permits has
 * no cap: then what the gateway serves at once is all that bounds it. `onLost` is told once, if another has the permit and there is no other
 * one.
 * @throws ApiError RATE_LIMITED
 */
export async function takePlace(
  { scheduler, options }: Pick<House, 'scheduler' | 'options'>,
  key: ApiKey,
  ttlMs: number,
  onLost: (error: ApiError) => void,
): Promise<Place> {
  const tier = options.tiers[key.tier]
  if (tier !== undefined && tier.permits === undefined) {
    const decision = await scheduler.admit({ key: key.id, tier: key.tier })
    if (!decision.allowed) throw denied(decision)
    return { release: async () => {} }
  }
  return HeldPermit.take(scheduler, key, ttlMs, onLost)
}

/**
 * A connection or a stream of a key, for as long as it lives: one of the permits that its tier has. It is renewed in time, so that
 * the permit of a gateway that crashed comes free soon.
 */
export class HeldPermit implements Place {
  readonly #scheduler: Deciding
  readonly #key: ApiKey
  readonly #ttlMs: number
  readonly #onLost: (error: ApiError) => void
  readonly #timer: NodeJS.Timeout
  #permit: Permit
  #isReleased = false

  private constructor(
    scheduler: Deciding,
    key: ApiKey,
    ttlMs: number,
    permit: Permit,
    onLost: (error: ApiError) => void,
  ) {
    this.#scheduler = scheduler
    this.#key = key
    this.#ttlMs = ttlMs
    this.#permit = permit
    this.#onLost = onLost
    this.#timer = setInterval(() => void this.#renew(), ttlMs / RENEWALS)
  }

  /** @throws ApiError RATE_LIMITED */
  static async take(
    scheduler: Deciding,
    key: ApiKey,
    ttlMs: number,
    onLost: (error: ApiError) => void,
  ): Promise<HeldPermit> {
    const decision = await ask(scheduler, key, ttlMs)
    if (decision.permit === undefined) throw denied(decision)
    return new HeldPermit(scheduler, key, ttlMs, decision.permit, onLost)
  }

  get id(): string {
    return this.#permit.id
  }

  async release(): Promise<void> {
    this.#isReleased = true
    clearInterval(this.#timer)
    try {
      await this.#scheduler.release(this.#permit)
    } catch {
      // The store is out of reach: it frees itself at its deadline.
    }
  }

  async #renew(): Promise<void> {
    try {
      const renewed = await this.#scheduler.renew(this.#permit, this.#ttlMs)
      if (renewed === null) await this.#takeAgain()
    } catch {
      // The store is out of reach: what it holds stays held until its deadline, and the next renewal may reach it.
    }
  }

  /** A store that was gone for long, or has lost its data, holds it no more: it is asked for another, which uses no quota. */
  async #takeAgain(): Promise<void> {
    if (this.#isReleased) return
    const decision = await ask(this.#scheduler, this.#key, this.#ttlMs)
    if (decision.permit === undefined) {
      clearInterval(this.#timer)
      return this.#onLost(denied(decision))
    }
    await this.#scheduler.refund(decision)
    this.#permit = decision.permit
    // It may have ended while the store was asked.
    if (this.#isReleased) await this.#scheduler.release(this.#permit)
  }
}

async function ask(
  scheduler: Deciding,
  { id: key, tier }: ApiKey,
  ttlMs: number,
): Promise<Decision> {
  return scheduler.admit({ key, tier, permit: { ttlMs } })
}

function denied({ policy, limit, retryAfterMs }: Decision): ApiError {
  const message =
    policy === 'permits'
      ? `at most ${limit} connections may be open at once`
      : `at most ${limit} requests are allowed in a window of ${policy}`
  const details = { policy, limit, retryAfterMs }
  return new ApiError('RATE_LIMITED', message, { details, retryAfterMs })
}
