import { readFileSync } from 'node:fs'
import type { Store } from '@ostler/core'

/** One line of a writer: what it was told it has written, when the call began and when it had returned. */
export interface Ack {
  readonly kind: string
  readonly what: string
  readonly beganMs: number
  readonly ackedMs: number
}

/** What a writer has told, refusals aside. A last line that was cut off by its death has not been told. */
export function acksOf(path: string): readonly Ack[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  const acks = lines.map((line) => {
    const [kind, what, beganMs, ackedMs] = line.split(' ')
    return { kind, what, beganMs: Number(beganMs), ackedMs: Number(ackedMs) }
  })
  return acks.filter(({ kind }) => kind !== 'refused')
}

const LONG = {
  kind: 'exact',
  name: 'long',
  limit: 1_000_000_000,
  windowMs: 30 * 86_400_000,
  quantumMs: 86_400_000,
} as const

/** What a store holds of what writers have written. */
export class Witness {
  readonly #store: Store<'sync'>
  readonly #excluded = new Set<string>()
  readonly #agents = new Set<string>()

  /** The version of the fleet that has been looked at: the next witness of the file may go on from there. */
  fleetVersion: number

  constructor(store: Store<'sync'>, fleetVersion = 0) {
    this.#store = store
    this.fleetVersion = fleetVersion
  }

  /**
   * Acknowledged writes that the store does not hold, in their order. Of writes that are counted, the count must be what was
   * acknowledged, or one more: the call that the kill cut short.
   */
  missing(acks: readonly Ack[]): readonly Ack[] {
    this.#look(acks)
    const counts = new Map<string, number>()
    const missing: Ack[] = []
    for (const ack of acks) {
      if (ack.kind === 'rested') continue
      const counted = countedUnder(ack)
      if (counted === null) {
        if (!this.#holds(ack)) missing.push(ack)
        continue
      }
      const count = (counts.get(counted) ?? 0) + 1
      counts.set(counted, count)
      if (count > this.#count(ack)) missing.push(ack)
    }
    for (const ack of acks) {
      const counted = countedUnder(ack)
      const surplus = counted === null ? 0 : this.#count(ack) - (counts.get(counted) ?? 0)
      if (surplus > 1) throw new Error(`${counted} is counted ${surplus} times too often`)
    }
    return missing
  }

  #look(acks: readonly Ack[]): void {
    const blocks = acks.filter(({ kind }) => kind === 'blocked')
    for (const domain of new Set(blocks.map(({ what }) => what.split('/')[0]))) {
      for (const { exit, record } of this.#store.exclusions(domain, 0, Date.now()).changes) {
        if (record?.health === 'unavailable') this.#excluded.add(`${domain}/${exit}`)
      }
    }
    const { version, changes } = this.#store.agents(this.fleetVersion)
    this.fleetVersion = version
    for (const change of changes) if (change.kind === 'put') this.#agents.add(change.agent.id)
  }

  #count({ kind, what }: Ack): number {
    const key = what.split('/')[0]
    if (kind === 'held') return this.#store.permits(key, Date.now())
    return this.#store.usage(key, [LONG], Date.now())[0].used
  }

  #holds({ kind, what }: Ack): boolean {
    switch (kind) {
      case 'blocked':
        return this.#excluded.has(what)
      case 'put':
        return this.#agents.has(what)
      case 'begun':
        return this.#begin(what).kind === 'running'
      case 'completed': {
        const begun = this.#begin(what)
        return begun.kind === 'done' && begun.value === `value of ${what}`
      }
      default:
        throw new Error(`a writer acknowledged ${kind}`)
    }
  }

  #begin(id: string): ReturnType<Store<'sync'>['begin']> {
    const nowMs = Date.now()
    const untilMs = nowMs + 1_000
    const request = { id, fingerprint: 'input', nowMs }
    return this.#store.begin({ ...request, runUntilMs: untilMs, expiresAtMs: untilMs })
  }
}

/** Under what name a write is counted; null where it is found by itself. */
function countedUnder({ kind, what }: Ack): string | null {
  return ['consumed', 'named', 'held'].includes(kind) ? `${kind} ${what.split('/')[0]}` : null
}
