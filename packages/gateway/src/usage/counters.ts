import { domainOf, type DomainOptions } from '@ostler/core'
import { LRUCache } from 'lru-cache'
import { TopNames, type Counted } from './top.ts'

export type Protocol = 'http' | 'ws' | 'amqp'

/** What became of a request: an answer, an answer that turned the agent away, or none. */
export type Result = 'ok' | 'blocked' | 'failed'

interface Totals {
  readonly sinceMs: number
  readonly results: Record<Result, number>
  readonly protocols: Record<Protocol, number>
  readonly domains: TopNames
}

/** What a key has done, in this process since `sinceMs`. */
export interface Used {
  readonly sinceMs: number
  readonly total: number
  readonly ok: number
  readonly blocked: number
  readonly failed: number
  /** Of all: null before the first. */
  readonly successShare: number | null
  readonly byProtocol: Readonly<Record<Protocol, number>>
  readonly topDomains: Counted[]
}

const MOST_KEYS = 10_000
const DOMAINS_COUNTED = 100
const DOMAINS_SHOWN = 10

/** Counts for people to look at: what they show is forgotten with the process, and where there are more keys than are counted. */
export class Counters {
  readonly #byKey = new LRUCache<string, Totals>({ max: MOST_KEYS })
  readonly #scope: DomainOptions

  constructor(scope: DomainOptions = {}) {
    this.#scope = scope
  }

  /** `target`: its URL, host or domain; what comes to one domain is counted as one. */
  add(keyId: string, protocol: Protocol, result: Result, target: string, nowMs: number): void {
    const totals = this.#byKey.get(keyId) ?? emptyTotals(nowMs)
    totals.results[result]++
    totals.protocols[protocol]++
    totals.domains.add(this.#domainOf(target))
    this.#byKey.set(keyId, totals)
  }

  #domainOf(target: string): string {
    try {
      return domainOf(target, this.#scope)
    } catch {
      return 'unknown'
    }
  }

  of(keyId: string, nowMs: number): Used {
    const { sinceMs, results, protocols, domains } = this.#byKey.get(keyId) ?? emptyTotals(nowMs)
    const total = results.ok + results.blocked + results.failed
    return {
      sinceMs,
      total,
      ...results,
      successShare: total === 0 ? null : results.ok / total,
      byProtocol: { ...protocols },
      topDomains: [...domains.top(DOMAINS_SHOWN)],
    }
  }
}

function emptyTotals(nowMs: number): Totals {
  return {
    sinceMs: nowMs,
    results: { ok: 0, blocked: 0, failed: 0 },
    protocols: { http: 0, ws: 0, amqp: 0 },
    domains: new TopNames(DOMAINS_COUNTED),
  }
}
