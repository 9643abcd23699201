import { LRUCache } from 'lru-cache'
import { QUIET_MS } from '../health/incident.ts'
import { join, stateAt, type PairRecord } from '../health/record.ts'
import type { Fleet } from '../pick/fleet.ts'
import { OwnBook, type Book } from '../pick/book.ts'
import { View, type Judge } from '../pick/view.ts'
import type { Change, Changes, Mode, Store } from '../store/store.ts'
import type { Known } from './stand-in.ts'
import { unheeded } from './unheeded.ts'

/** How views read records: by the same function that stores decide by. */
const judge: Judge<PairRecord> = {
  phase(record, nowMs) {
    const state = stateAt(record, nowMs)
    if (state.health === 'unavailable') return state.phase
    return state.health === 'limited' ? 'excluded' : 'available'
  },
  nextMs(record, nowMs) {
    const state = stateAt(record, nowMs)
    if (state.health === 'available') return Infinity
    if (state.health === 'unavailable' && state.phase === 'probation') return record.forgetAtMs
    return state.untilMs
  },
}

/** Building a view of fewer exclusions takes about a millisecond. */
const LARGE = 4_096
/** So many large ones are kept at most: of a store's 4,000,000 records that is all. */
const MOST_LARGE = 1_000

const isLarge = (view: View<PairRecord>): boolean => view.excluded.size >= LARGE

const isAvailable = (record: PairRecord, nowMs: number): boolean =>
  stateAt(record, nowMs).health === 'available'

/** The records where they are: in a store of this process. */
function bookOf(store: Store<'sync'>): Book<PairRecord> {
  return {
    get: (domain, exit, nowMs) => store.record?.(exit, domain, nowMs) ?? null,
    *entries(domain, nowMs) {
      for (const { exit, record } of store.exclusions(domain, 0, nowMs).changes) {
        if (record !== null) yield [exit, record] as const
      }
    },
    // The store has them.
    set: () => undefined,
    clear: () => undefined,
  }
}

/** A store takes so many records at once. */
const PORTION = 1_000

/** The views that are kept ready: derived from the store, so that losing one costs time and nothing else. */
export class Views {
  readonly #store: Store
  readonly #isAsync: boolean
  readonly #fleet: Fleet
  /** The store's own, where it lives in this process. */
  readonly #book: Book<PairRecord> | null
  readonly #views: LRUCache<string, View<PairRecord>>

  /** The view that was asked for last: what reports ask for is mostly what was picked for. */
  #last: View<PairRecord> | null = null

  /** Those that would take long to build anew, and so do not make room for others. */
  readonly #large: Map<string, View<PairRecord>> = new Map()

  /** `onDrop` is told what a view knows that is about to make room for another. */
  constructor(
    store: Store<Mode>,
    fleet: Fleet,
    maxViews: number,
    onDrop: (domain: string, known: Known) => void,
  ) {
    this.#store = store
    this.#isAsync = store.mode === 'async'
    this.#fleet = fleet
    const isOpen = store.mode === 'sync' && store.local === true && store.record !== undefined
    this.#book = isOpen ? bookOf(store as Store<'sync'>) : null
    this.#views = new LRUCache({
      max: maxViews,
      dispose: (view, domain, why) => {
        if (view === this.#last) this.#last = null
        if (why !== 'evict') return
        if (isLarge(view) && this.#large.size < MOST_LARGE) this.#large.set(domain, view)
        else onDrop(domain, knownBy(view))
      },
    })
  }

  /**
   * The view of a domain. On a synchronous store it is as new as the store; on an asynchronous one a view that is
   * known already is given as it is, and `acquire` has the last word.
   */
  of(domain: string, nowMs: number): View<PairRecord> | Promise<View<PairRecord>> {
    let view = this.#lastOr(domain) ?? this.#views.get(domain) ?? this.#largeOne(domain)
    const isNew = view === undefined
    if (view === undefined) {
      view = new View(domain, this.#fleet, judge, this.#book ?? new OwnBook(isAvailable))
      this.#views.set(domain, view)
    }
    this.#last = view
    if (!isNew && this.#isAsync) return this.#caughtUp(view, nowMs)
    return this.refresh(view, nowMs)
  }

  /** The last view, where it is the domain's: it is the newest of the cache as it is. */
  #lastOr(domain: string): View<PairRecord> | undefined {
    const last = this.#last
    return last !== null && last.domain === domain ? last : undefined
  }

  /** The view of a domain, as new as the store whatever its mode. */
  freshest(domain: string, nowMs: number): View<PairRecord> | Promise<View<PairRecord>> {
    const ready = this.#isAsync ? this.ready(domain) : undefined
    return ready === undefined ? this.of(domain, nowMs) : this.refresh(ready, nowMs)
  }

  /** The view of a domain if it is ready. */
  ready(domain: string): View<PairRecord> | undefined {
    return this.#lastOr(domain) ?? this.#views.peek(domain) ?? this.#large.get(domain)
  }

  /** Brings a view up to the store. */
  refresh(view: View<PairRecord>, nowMs: number): View<PairRecord> | Promise<View<PairRecord>> {
    const answer = this.#store.exclusions(view.domain, view.version, nowMs)
    if (this.#isAsync) return this.#refreshLater(view, answer as Promise<Changes>, nowMs)
    this.absorb(view, answer as Changes, nowMs)
    return view
  }

  async #refreshLater(
    view: View<PairRecord>,
    answer: Promise<Changes>,
    nowMs: number,
  ): Promise<View<PairRecord>> {
    this.absorb(view, await answer, nowMs)
    return view
  }

  /**
   * Takes in what the store says changed. An answer that a later one has overtaken is passed over. `agent` (or -1) is the one that the
   * answer is about: its exit's agents need not be looked up by name.
   */
  absorb(view: View<PairRecord>, changes: Changes, nowMs: number, agent: number = -1): void {
    view.catchUp(nowMs)
    const isStandIn = changes.version === 0 && !changes.reset
    // An incident may end by silence alone, which changes no version.
    view.incidentAtMs = changes.incident?.openedAtMs ?? 0
    view.incidentEndsAtMs = changes.incident ? changes.incident.lastEventMs + QUIET_MS : 0
    if (changes.lost === true) this.#tellAgain(view, nowMs)
    else if (changes.reset) view.reset()
    else if (!isStandIn && changes.version <= view.version) return
    for (const { exit, record } of changes.changes) {
      const now = changes.lost === true ? join(view.recordOf(exit), record) : record
      view.apply(exit, now, nowMs, agent)
    }
    // What stands in for the store has no versions: the view's stay the store's.
    if (!isStandIn) view.version = changes.version
  }

  /** Every view that is ready. */
  domains(): string[] {
    return [...this.#views.keys(), ...this.#large.keys()]
  }

  /** What the view of a domain knows, if it is ready. */
  known(domain: string): Known {
    const view = this.ready(domain)
    return view === undefined ? { records: [], incident: null } : knownBy(view)
  }

  /** A large view; one that is so no more is again one of many. */
  #largeOne(domain: string): View<PairRecord> | undefined {
    const view = this.#large.size === 0 ? undefined : this.#large.get(domain)
    if (view === undefined || isLarge(view)) return view
    this.#large.delete(domain)
    this.#views.set(domain, view)
    return view
  }

  /**
   * The store has lost what it decided: tells it all that the view still excludes, which stays excluded here whatever comes of it. A store that goes
   * out of reach meanwhile is told on its return.
   */
  #tellAgain(view: View<PairRecord>, nowMs: number): void {
    const changes: Change[] = [...view.entries()].map(([exit, record]) => ({ exit, record }))
    for (let from = 0; from < changes.length; from += PORTION) {
      const portion = changes.slice(from, from + PORTION)
      unheeded(() => this.#store.merge(view.domain, portion, nowMs))
    }
  }

  #caughtUp(view: View<PairRecord>, nowMs: number): View<PairRecord> {
    view.catchUp(nowMs)
    return view
  }
}

function knownBy(view: View<PairRecord>): Known {
  const { incidentAtMs: openedAtMs, incidentEndsAtMs } = view
  const lastEventMs = incidentEndsAtMs - QUIET_MS
  const incident =
    openedAtMs === 0 ? null : ({ openedAtMs, cause: 'failures', lastEventMs } as const)
  return { records: view.entries(), incident }
}
