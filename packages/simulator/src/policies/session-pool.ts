import { seededRandom } from '@ostler/core'
import type { Response } from '../world/responses.ts'
import { mix } from '../world/weighted.ts'
import type { World } from '../world/world.ts'
import type { Choice, Picker, PolicySpec } from './policy.ts'
import { Shortlists, type Shortlist } from './shortlists.ts'

// The defaults that Crawlee's documentation gives.
const MAX_POOL_SIZE = 1_000
const MAX_ERROR_SCORE = 3
const ERROR_SCORE_DECREMENT = 0.5
const MAX_USAGE_COUNT = 50
const MAX_AGE_MS = 3_000_000
const BLOCKED_STATUS_CODES: readonly number[] = [401, 403, 429]

/**
 * A score-based session pool, after the public description of Crawlee's `SessionPool` and its
 * defaults: up to 1,000 sessions, each bound to one agent (the next in turn); while the pool is not
 * full each pick makes a new one, then picks any; if that one is no longer usable, all such are
 * removed and a new one is made. A success takes 0.5 off a session's error score, a failure adds 1,
 * status 401, 403 or 429 retires it at once; at a score of 3, after 50 uses or 3,000 s it is done.
 * A session knows nothing of domains. One pool per hinted country, as one crawler per market would
 * have it.
 */
export const sessionPoolPolicy: PolicySpec = {
  name: 'session-pool',
  summary: 'scored sessions, each bound to one agent (as in Crawlee)',
  start: (world) => new SessionPools(world),
}

export class Session {
  readonly agent: number
  readonly #expiresAtMs: number
  #errorScore = 0
  #usageCount = 0

  constructor(agent: number, nowMs: number) {
    this.agent = agent
    this.#expiresAtMs = nowMs + MAX_AGE_MS
  }

  isUsable(nowMs: number): boolean {
    return (
      this.#errorScore < MAX_ERROR_SCORE &&
      this.#usageCount < MAX_USAGE_COUNT &&
      nowMs < this.#expiresAtMs
    )
  }

  get isBlocked(): boolean {
    return this.#errorScore >= MAX_ERROR_SCORE
  }

  markGood(): void {
    this.#usageCount++
    if (this.#errorScore > 0) this.#errorScore -= ERROR_SCORE_DECREMENT
  }

  markBad(): void {
    this.#usageCount++
    this.#errorScore++
  }

  retire(): void {
    this.#usageCount++
    this.#errorScore += MAX_ERROR_SCORE
  }
}

class SessionPools implements Picker<Session> {
  exclusions = 0
  readonly probes = 0
  readonly #shortlists: Shortlists
  readonly #pools: Session[][]
  readonly #nextAgent: Int32Array
  readonly #random: () => number

  constructor({ fleet, seed }: World) {
    this.#shortlists = new Shortlists(fleet)
    this.#pools = Array.from({ length: this.#shortlists.size }, () => [])
    this.#nextAgent = new Int32Array(this.#shortlists.size)
    this.#random = seededRandom(mix(seed, 107, 0))
  }

  pick({ hint, nowMs }: Parameters<Picker['pick']>[0]): Choice<Session> {
    const shortlist = this.#shortlists.of(hint)
    const pool = this.#pools[shortlist.id]
    if (pool.length < MAX_POOL_SIZE) return chosen(this.#add(pool, shortlist, nowMs))
    const session = pool[Math.floor(this.#random() * pool.length)]
    if (session.isUsable(nowMs)) return chosen(session)
    const usable = pool.filter((other) => other.isUsable(nowMs))
    this.#pools[shortlist.id] = usable
    return chosen(this.#add(usable, shortlist, nowMs))
  }

  report({ token: session }: Choice<Session>, { status }: Response): void {
    const wasBlocked = session.isBlocked
    if (BLOCKED_STATUS_CODES.includes(status)) session.retire()
    else if (status === 0 || status >= 500) session.markBad()
    else session.markGood()
    if (session.isBlocked && !wasBlocked) this.exclusions++
  }

  #add(pool: Session[], { id, agents }: Shortlist, nowMs: number): Session {
    const turn = this.#nextAgent[id]
    this.#nextAgent[id] = turn + 1 === agents.length ? 0 : turn + 1
    const session = new Session(agents[turn], nowMs)
    pool.push(session)
    return session
  }
}

function chosen(session: Session): Choice<Session> {
  return { agent: session.agent, token: session }
}
