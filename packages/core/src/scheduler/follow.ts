import type { Mode, Store } from '../store/store.ts'
import type { Roster } from './roster.ts'
import type { Time } from './time.ts'
import type { Views } from './views.ts'

/**
 * Keeps the roster and the ready views in step with what other processes change, where an asynchronous store tells of it. Only to be early:
 * the store has the last word in `acquire`. What fails here shows in the next call.
 */
export class Follower {
  readonly #views: Views
  readonly #time: Time
  readonly #fleet: () => void
  readonly #domains: Map<string, () => void> = new Map()

  constructor(roster: Roster, views: Views, time: Time) {
    this.#views = views
    this.#time = time
    this.#fleet = once(async () => roster.follow(time.nowMs()))
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
    if (domain === null) for (const each of this.#views.domains()) this.#refresh(each)
  }

  #refresh(domain: string): void {
    const views = this.#views
    if (views.ready(domain) === undefined) return
    let refresh = this.#domains.get(domain)
    if (refresh === undefined) {
      const ask = async (): Promise<unknown> => {
        const view = views.ready(domain)
        return view === undefined ? undefined : views.refresh(view, this.#time.nowMs())
      }
      refresh = once(ask, () => this.#domains.delete(domain))
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
