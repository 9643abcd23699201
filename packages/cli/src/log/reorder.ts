import { Agenda } from '@ostler/simulator'

/** A request of a log, when it was made and by whom. */
export interface Hit {
  readonly client: string
  readonly atMs: number
}

const MOST_HELD = 100_000

/**
 * Puts a log back into order of time. Servers write lines when requests end, so logs are out of
 * order by as much as a request takes: hits are held until one `withinMs` later has come, or
 * 100,000 are held. A hit later than that is given the time of the one before it, and counted.
 */
export class Reorder {
  clamped = 0
  readonly #withinMs: number
  readonly #emit: (client: string, atMs: number) => void
  readonly #agenda = new Agenda()
  readonly #clients: string[] = []
  readonly #free: number[] = []
  #newestMs = 0
  #emittedMs = 0
  #held = 0

  constructor(withinMs: number, emit: (client: string, atMs: number) => void) {
    this.#withinMs = withinMs
    this.#emit = emit
  }

  add({ client, atMs }: Hit): void {
    const slot = this.#free.pop() ?? this.#clients.length
    this.#clients[slot] = client
    if (atMs < this.#emittedMs) this.clamped++
    this.#agenda.put(Math.max(atMs, this.#emittedMs), slot)
    this.#held++
    this.#newestMs = Math.max(this.#newestMs, atMs)
    while (this.#held > MOST_HELD || this.#agenda.nextMs <= this.#newestMs - this.#withinMs) {
      this.#next()
    }
  }

  /** Gives all that is held. */
  end(): void {
    while (this.#held > 0) this.#next()
  }

  #next(): void {
    const atMs = this.#agenda.nextMs
    const slot = this.#agenda.take()
    this.#held--
    this.#free.push(slot)
    this.#emittedMs = atMs
    this.#emit(this.#clients[slot], atMs)
  }
}
