import type { Watch } from '../health/incident.ts'
import { QUIET_MS } from '../health/incident.ts'
import type { Changes } from './store.ts'

/** What a store keeps of a domain while anything is known of it, or on its way to it. */
export interface Domain {
  readonly handle: number
  readonly name: string
  /** Of changes up to this version not all are known any more, or the domain was not. */
  floor: number
  /** The version of its newest change; 0 before the first. */
  version: number
  /** Leases on their way. */
  inFlight: number
  /** Leases ever given since the domain is known. */
  dispatched: number
  watch: Watch | null
  /** What a view is told that has seen its newest change, while there is no incident; of an older version once that has moved on. */
  quiet: Changes | null
  /** Its record that changed last (or -1), and how many it has. */
  last: number
  records: number
}

/** Above so many domains, counts of those that have neither records nor leases are not kept. */
const MOST_WATCHED = 65_536

/** So few are kept even when idle: a domain that is asked for now and then is not made anew each time. */
const SPARED = 1_024

/**
 * The domains that a store knows. An idle one (no records, no leases, nothing counted) costs nothing for long: each new domain
 * looks at two others and forgets the idle ones, so a flood of names stays within about twice those in use.
 */
export class Domains {
  readonly #byName = new Map<string, Domain>()
  readonly #byHandle: (Domain | undefined)[] = []
  readonly #free: number[] = []
  #cursor = 0
  /** The domain that was asked for last: one request asks for the same one several times. */
  #last: Domain | undefined = undefined

  get size(): number {
    return this.#byName.size
  }

  get(name: string): Domain | undefined {
    const last = this.#last
    if (last !== undefined && last.name === name) return last
    const domain = this.#byName.get(name)
    if (domain !== undefined) this.#last = domain
    return domain
  }

  at(handle: number): Domain {
    return this.#byHandle[handle] as Domain
  }

  add(name: string, version: number, nowMs: number): Domain {
    this.#sweep(nowMs)
    const handle = this.#free.pop() ?? this.#byHandle.length
    const domain: Domain = {
      handle,
      name,
      floor: version,
      version: 0,
      inFlight: 0,
      dispatched: 0,
      watch: null,
      quiet: null,
      last: -1,
      records: 0,
    }
    this.#byHandle[handle] = domain
    this.#byName.set(name, domain)
    return domain
  }

  #sweep(nowMs: number): void {
    if (this.#byName.size < SPARED) return
    for (let i = 0; i < 2 && this.#byHandle.length > 0; i++) {
      if (this.#cursor >= this.#byHandle.length) this.#cursor = 0
      const domain = this.#byHandle[this.#cursor++]
      if (domain === undefined || domain.inFlight > 0 || domain.records > 0) continue
      const { watch } = domain
      const watched = watch !== null && nowMs - watch.lastEventMs < QUIET_MS
      if (watched && this.#byName.size <= MOST_WATCHED) continue
      this.#byHandle[domain.handle] = undefined
      this.#free.push(domain.handle)
      this.#byName.delete(domain.name)
      this.#last = undefined
    }
  }
}
