/**
 * A whole store over anything that keeps one list in one order for all: a stream, a consensus log.
 *
 * What a store decides is a function of the decisions before it, and core has that function: its
 * memory store does what the pure functions of `limit/` and `health/` say, and asks neither clock
 * nor chance. So a store need only add the one order. Each process has a memory store of its own,
 * brings it up to the log's end, and puts its call there; where another call came first, it catches
 * up and tries again. What a real one adds is a time-out for its log, and an end to the log's
 * growth: the stores for SQLite and Redis keep what the decisions come to instead.
 */
import { memoryStore, OstlerError, type MemoryStoreOptions, type Store } from '@ostler/core'

/** One call of a store's method, with its arguments: plain JSON. */
export interface Entry {
  readonly method: Changing
  readonly args: readonly unknown[]
}

/** The list. Entries are never changed, and stand at 0, 1, 2 and so on. */
export interface SharedLog {
  /** The entries from a position on, in order; all of them, or at least one if there is one. */
  read(from: number): Promise<readonly Entry[]>
  /** Puts an entry at the log's end; false, and nothing is done, if that is not this position. */
  append(entry: Entry, position: number): Promise<boolean>
}

type Memory = Store<'sync'>
/** Methods that only look are not logged: they need not be done again by anybody. */
type Looking = 'peek' | 'usage' | 'permits' | 'agents'
type Changing = Exclude<
  keyof Memory,
  Looking | 'record' | 'mode' | 'name' | 'local' | 'clock' | 'gate' | 'subscribe' | 'ping' | 'close'
>

/** So many calls of one process may wait for their turn, and so often may others be quicker. */
const MOST_WAITING = 10_000
const MOST_TRIES = 1_000

/** One process's copy of what all have decided, and its place in the log. */
class Replica {
  readonly #log: SharedLog
  readonly #memory: Memory
  #position = 0
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()
  closed = false

  constructor(log: SharedLog, bounds: MemoryStoreOptions) {
    this.#log = log
    // A seed of its own would spread crowded keys otherwise in each process.
    this.#memory = memoryStore({ seed: 1, ...bounds })
  }

  /** Decides at the end of the log, without a trace there. */
  look<K extends Looking>(method: K, ...args: Parameters<Memory[K]>) {
    return this.#inTurn(async () => {
      await this.#catchUp()
      return call(this.#memory, method, args)
    })
  }

  /** Decides at the end of the log, and makes it known there first. */
  add<K extends Changing>(method: K, ...args: Parameters<Memory[K]>) {
    return this.#inTurn(async () => {
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        await this.#catchUp()
        if (!(await this.#log.append({ method, args }, this.#position).catch(unreachable))) continue
        this.#position++
        return call(this.#memory, method, args)
      }
      throw unavailable(`others were quicker ${MOST_TRIES} times`)
    })
  }

  /** One step at a time: between catching up and adding, this process does nothing else. */
  async #inTurn<T>(step: () => Promise<T>): Promise<T> {
    if (this.closed) throw new OstlerError('CLOSED', 'the log store is closed')
    if (this.#waiting >= MOST_WAITING) throw unavailable(`${MOST_WAITING} calls are waiting`)
    this.#waiting++
    const turn = this.#last.then(step)
    this.#last = turn.catch(() => undefined)
    return turn.finally(() => this.#waiting--)
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      const entries = await this.#log.read(this.#position).catch(unreachable)
      if (entries.length === 0) return
      for (const { method, args } of entries) {
        this.#position++
        try {
          call(this.#memory, method, args)
        } catch {
          // Whoever added it was told the same; a call that fails changes nothing, here as there.
        }
      }
    }
  }
}

/** Every process on one log must name the same bounds, for they decide too. */
export function logStore(log: SharedLog, bounds: MemoryStoreOptions = {}): Store<'async'> {
  const replica = new Replica(log, bounds)
  return {
    mode: 'async',
    name: 'log',
    consume: async (request) => {
      // A denial changes nothing, so nobody else needs to know of it.
      const verdict = await replica.look('peek', request)
      return verdict.allowed ? replica.add('consume', request) : verdict
    },
    peek: (request) => replica.look('peek', request),
    refund: (request) => replica.add('refund', request),
    usage: (key, policies, nowMs) => replica.look('usage', key, policies, nowMs),
    permits: (key, nowMs) => replica.look('permits', key, nowMs),
    renew: (key, id, deadlineMs, nowMs) => replica.add('renew', key, id, deadlineMs, nowMs),
    release: (key, id, nowMs) => replica.add('release', key, id, nowMs),
    acquire: (request) => replica.add('acquire', request),
    settle: (request) => replica.add('settle', request),
    exclude: (exit, domain, untilMs, nowMs) => replica.add('exclude', exit, domain, untilMs, nowMs),
    restore: (exit, domain, nowMs) => replica.add('restore', exit, domain, nowMs),
    // It looks, but it also moves the time at which all else is decided.
    exclusions: (domain, since, nowMs) => replica.add('exclusions', domain, since, nowMs),
    merge: (domain, changes, nowMs) => replica.add('merge', domain, changes, nowMs),
    putAgents: (agents) => replica.add('putAgents', agents),
    removeAgents: (ids) => replica.add('removeAgents', ids),
    agents: (since) => replica.look('agents', since),
    begin: (request) => replica.add('begin', request),
    complete: (request) => replica.add('complete', request),
    close: async () => {
      replica.closed = true
    },
  }
}

function call<K extends Looking | Changing>(memory: Memory, method: K, args: readonly unknown[]) {
  return (memory[method] as (...all: readonly unknown[]) => ReturnType<Memory[K]>)(...args)
}

function unavailable(why: string, cause?: unknown): OstlerError {
  return new OstlerError('STORE_UNAVAILABLE', `the log store: ${why}`, { cause })
}

function unreachable(cause: unknown): never {
  throw unavailable('its log is out of reach', cause)
}
