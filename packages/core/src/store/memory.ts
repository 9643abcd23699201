import { ambientRandom } from '../clock.ts'
import { OstlerError } from '../errors.ts'
import { MemoryHealth, type MemoryHealthOptions } from './memory-health.ts'
import { MemoryLimits, type MemoryLimitsOptions } from './memory-limits.ts'
import { MemoryOps } from './memory-ops.ts'
import type { Store } from './store.ts'

/** How much a memory store may hold: every bound has a default. */
export interface MemoryStoreOptions extends MemoryLimitsOptions, MemoryHealthOptions {
  /** Idempotency records at once: 1 to 10,000,000. Default 100,000. */
  readonly maxIdempotencyRecords?: number
}

/**
 * The store of one process: exact, synchronous, gone when the process ends. Several schedulers may share one.
 * @throws OstlerError INVALID_OPTIONS
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store<'sync'> {
  const seed = options.seed ?? Math.floor(ambientRandom() * 0x1_0000_0000)
  const limits = new MemoryLimits({ ...options, seed })
  const health = new MemoryHealth(options)
  const { maxIdempotencyRecords = 100_000 } = options
  const ops = new MemoryOps({ maxRecords: maxIdempotencyRecords })
  let closed = false
  const check = (): void => {
    if (closed) throw new OstlerError('CLOSED', 'the memory store is closed')
  }
  return {
    mode: 'sync',
    name: 'memory',
    consume: (request) => (check(), limits.consume(request)),
    peek: (request) => (check(), limits.peek(request)),
    refund: (request) => (check(), limits.refund(request)),
    usage: (key, policies, nowMs) => (check(), limits.usage(key, policies, nowMs)),
    permits: (key, nowMs) => (check(), limits.permits(key, nowMs)),
    renew: (key, id, deadlineMs, nowMs) => (check(), limits.renew(key, id, deadlineMs, nowMs)),
    release: (key, id, nowMs) => (check(), limits.release(key, id, nowMs)),
    acquire: (request) => (check(), health.acquire(request)),
    settle: (request) => (check(), health.settle(request)),
    exclude: (exit, domain, untilMs, nowMs) => (
      check(),
      health.exclude(exit, domain, untilMs, nowMs)
    ),
    restore: (exit, domain, nowMs) => (check(), health.restore(exit, domain, nowMs)),
    exclusions: (domain, since, nowMs) => (check(), health.exclusions(domain, since, nowMs)),
    putAgents: (agents) => (check(), health.putAgents(agents)),
    removeAgents: (ids) => (check(), health.removeAgents(ids)),
    agents: (since) => (check(), health.agents(since)),
    begin: (request) => (check(), ops.begin(request)),
    complete: (request) => (check(), ops.complete(request)),
    close: () => {
      closed = true
    },
  }
}
