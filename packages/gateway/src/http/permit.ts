import type { Decision, Mode, Permit, Scheduler } from '@ostler/core'
import type { House } from '../house.ts'
import type { ApiKey } from '../keys/key.ts'
import { ApiError } from './api-error.ts'

type Deciding = Pick<Scheduler<Mode>, 'admit' | 'refund' | 'renew' | 'release'>

/** Renewals within one permit's time: two may fail before it is lost. */
const RENEWALS = 3

/** How soon what a key holds open ends once it is revoked, at most. */
const LOOK_EVERY_MS = 5_000

/** Who wants to stay, and until when. */
export interface Stay {
  readonly key: ApiKey
  /** Without a renewal a permit is held for so long. */
  readonly ttlMs: number
  /** Finds the key again. @throws ApiError once it is revoked */
  findKey(): ApiKey
  /** Told once: that the key was revoked, or that another has the permit and there is no other one. */
  onLost(error: ApiError): void
}

/** A place among the connections and streams of a key. */
export interface Place {
  /** Gives it back. */
  release(): Promise<void>
}

/**
 * Counts a request of a key, and takes one of its tier's permits with it: both or neither. A tier that says nothing of permits has
 * no cap: then what the gateway serves at once is all that bounds it.
 * @throws ApiError RATE_LIMITED
 */
export async function takePlace(
  { scheduler, options }: Pick<House, 'scheduler' | 'options'>,
  stay: Stay,
): Promise<Place> {
  const { key, ttlMs } = stay
  let isLost = false
  const lose = (error: ApiError): void => {
    if (!isLost) stay.onLost(error)
    isLost = true
  }
  const isCapped = options.tiers[key.tier]?.permits !== undefined
  const permit = isCapped
    ? await HeldPermit.take(scheduler, key, ttlMs, lose)
    : await count(scheduler, key)
  const looking = setInterval(
    () => {
      const error = revocationOf(stay)
      if (error === null) return
      clearInterval(looking)
      lose(error)
    },
    Math.min(LOOK_EVERY_MS, ttlMs / RENEWALS),
  )
  return {
    async release() {
      clearInterval(looking)
      await permit?.release()
    },
  }
}

async function count(scheduler: Deciding, key: ApiKey): Promise<null> {
  const decision = await scheduler.admit({ key: key.id, tier: key.tier })
  if (!decision.allowed) throw denied(decision)
  return null
}

/** Keys that cannot be read for a while are revoked by nobody. */
function revocationOf(stay: Stay): ApiError | null {
  try {
    stay.findKey()
    return null
  } catch (error) {
    return error instanceof ApiError ? error : null
  }
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
