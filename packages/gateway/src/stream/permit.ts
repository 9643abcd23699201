import type { Decision, Mode, Permit, Scheduler } from '@ostler/core'
import { ApiError } from '../http/api-error.ts'
import type { ApiKey } from '../keys/key.ts'

type Deciding = Pick<Scheduler<Mode>, 'admit' | 'refund' | 'renew' | 'release'>

/** A gateway that crashed holds its permits for so long. */
const TTL_MS = 60_000
/** Renewals within one permit's time: two may fail before it is lost. */
const RENEWALS = 3

/** One of the streams that a key may have open at once, for as long as it is. */
export class StreamPermit {
  readonly #scheduler: Deciding
  readonly #key: ApiKey
  readonly #ttlMs: number
  readonly #timer: NodeJS.Timeout
  #permit: Permit
  #isReleased = false
  /** Called once, if the permit is lost and there is no other. */
  onLost: () => void = () => {}

  private constructor(scheduler: Deciding, key: ApiKey, ttlMs: number, permit: Permit) {
    this.#scheduler = scheduler
    this.#key = key
    this.#ttlMs = ttlMs
    this.#permit = permit
    this.#timer = setInterval(() => void this.#renew(), ttlMs / RENEWALS)
  }

  /**
   * Takes a permit, in place of the request that was counted: a permit is only given together with one, and a request counts once.
   * @throws ApiError RATE_LIMITED
   */
  static async take(
    scheduler: Deciding,
    key: ApiKey,
    counted: Decision | null,
    ttlMs = TTL_MS,
  ): Promise<StreamPermit> {
    if (counted?.allowed === true) await scheduler.refund(counted)
    const decision = await ask(scheduler, key, ttlMs)
    if (decision.permit === undefined) throw denied(decision)
    return new StreamPermit(scheduler, key, ttlMs, decision.permit)
  }

  get id(): string {
    return this.#permit.id
  }

  async release(): Promise<void> {
    this.#isReleased = true
    clearInterval(this.#timer)
    await this.#scheduler.release(this.#permit)
  }

  async #renew(): Promise<void> {
    try {
      const renewed = await this.#scheduler.renew(this.#permit, this.#ttlMs)
      if (renewed === null && !this.#isReleased) await this.#takeAgain()
    } catch {
      // The store is out of reach: what it holds stays held until its deadline, and the next renewal may reach it.
    }
  }

  /** A store that was gone for long, or has lost its data, holds the permit no more. Another uses no quota. */
  async #takeAgain(): Promise<void> {
    const decision = await ask(this.#scheduler, this.#key, this.#ttlMs)
    if (decision.permit === undefined) {
      clearInterval(this.#timer)
      return this.onLost()
    }
    await this.#scheduler.refund(decision)
    this.#permit = decision.permit
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
      ? `at most ${limit} streams and WebSockets may be open at once`
      : `at most ${limit} requests are allowed in a window of ${policy}`
  return new ApiError('RATE_LIMITED', message, {
    details: { policy, limit, retryAfterMs },
    retryAfterMs,
  })
}
