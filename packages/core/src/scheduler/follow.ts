import type { Mode, Store } from '../store/store.ts'
import type { Roster } from './roster.ts'
import type { Time } from './time.ts'
import type { Views } from './views.ts'

/**
 * Keeps the roster and the ready views in step with what other processes change, where an asynchronous store tells of it. Only to be early:
 * the store has the last word in `acquire`. What fails here shows in the next call.
 */
export class Follower {
  readonly #mode: Mode
  readonly #views: Views
  readonly #time: Time
  readonly #fleet: () => void
  readonly #all: () => void
  readonly #domains: Map<string, () => void> = new Map()

  constructor(mode: Mode, roster: Roster, views: Views, time: Time) {
    this.#mode = mode
    this.#views = views
    this.#time = time
    this.#fleet = once(async () => roster.follow(time.nowMs()))
    // One after the other: a store that has just come back is not to be asked everything at once.
    this.#all = once(async () => {
      for (const domain of views.domains()) await this.#ask(domain)
    })
  }

  /** Listens to a store; answers how to end it. A synchronous one is asked at each pick anyway. */
  listen(store: Store<Mode>): () => void {
    if (store.mode === 'sync' || store.subscribe === undefined) return () => {}
    return store.subscribe((domain) => this.look(domain))
  }

  /** Asks the store about a domain, the fleet (`'*'`), or with null about all that is kept ready. */
  look(domain: string | null): void {
    if (domain !== null && domain !== '*') return this.#refresh(domain)
    this.#fleet()
    // A synchronous store is asked about a domain at each pick anyway.
    if (domain === null && this.#mode === 'async') this.#all()
  }

  async #ask(domain: string): Promise<void> {
    const view = this.#views.ready(domain)
    if (view !== undefined) await this.#views.refresh(view, this.#time.nowMs())
  }

  #refresh(domain: string): void {
    if (this.#views.ready(domain) === undefined) return
    let refresh = this.#domains.get(domain)
    if (refresh === undefined) {
      refresh = once(
        async () => this.#ask(domain),
        () => this.#domains.delete(domain),
      )
      this.#domains.set(domain, refresh)
    }
    refresh()
  }
}

/** Runs a task, and once more when it was asked for meanwhile: a hundred hints in a burst are two questions. */
function once(task: () => Promise<unknown>, atRest: () => unknown = () => {}): () => void {
  let running = false
  let asked = false
  const run = async (): Promise<void> => {
    running = true
    while (asked) {
      asked = false
      await task().catch(() => {})
    }
    running = false
    atRest()
  }
  return () => {
    asked = true
    if (!running) void run()
  }
}
