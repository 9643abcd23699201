import type { Store } from '@ostler/core'
import { Changes, followed } from './changes.ts'
import { Link, openClient } from './client.ts'
import { Denials } from './denials.ts'
import { Engine } from './engine.ts'
import { RedisFleet } from './fleet.ts'
import { HealthContext } from './health-context.ts'
import { RedisHealth } from './health.ts'
import { inspect, type Inspection } from './inspect.ts'
import { Keys } from './keys.ts'
import { RedisLimits } from './limits.ts'
import { RedisOps } from './ops.ts'
import { resolveOptions, type RedisStoreOptions, type ResolvedOptions } from './options.ts'
import { RedisPermits } from './permits.ts'

/** A store on Redis, with what can be asked of the server beside the contract. */
export interface RedisStore extends Store<'async'> {
  ping(): Promise<void>
  /** What is wrong with the server or the client, for a start-up check: see {@link inspect}. */
  check(): Promise<Inspection>
}

/**
 * The store of many hosts: each decision is one script on Redis 6.2 or later, Valkey or a Redis
 * Cluster, by the server's clock. The first calls wait up to a second for the connection; later
 * ones fail at once while there is none.
 * @throws OstlerError INVALID_OPTIONS, with every problem by its path
 */
export function redisStore(options: RedisStoreOptions): RedisStore {
  const resolved = resolveOptions(options)
  const engine = new Engine(linkOf(resolved), resolved)
  const keys = new Keys(resolved.prefix)
  const changes = new Changes(engine.link, keys.channel)
  const denials = denialsOf(resolved, changes)
  const limits = new RedisLimits(engine, keys, denials)
  const permits = new RedisPermits(engine, keys)
  const ops = new RedisOps(engine, keys)
  const replicated = resolved.durability === 'replicated'
  const context = new HealthContext(engine, keys, { replicated })
  const health = new RedisHealth(context, resolved)
  const fleet = new RedisFleet(context, resolved)
  const { clock } = engine
  return {
    mode: 'async',
    name: 'redis',
    ...(clock !== undefined && { clock }),
    consume: (request) => limits.consume(request),
    peek: (request) => limits.peek(request),
    refund: (request) => limits.refund(request),
    usage: (key, policies, nowMs) => limits.usage(key, policies, nowMs),
    permits: (key, nowMs) => permits.permits(key, nowMs),
    renew: (key, id, deadlineMs, nowMs) => permits.renew(key, id, deadlineMs, nowMs),
    release: (key, id, nowMs) => permits.release(key, id, nowMs),
    begin: (request) => ops.begin(request),
    complete: (request) => ops.complete(request),
    acquire: (request) => health.acquire(request),
    settle: (request) => health.settle(request),
    exclude: (exit, domain, untilMs, nowMs) => health.exclude(exit, domain, untilMs, nowMs),
    restore: (exit, domain, nowMs) => health.restore(exit, domain, nowMs),
    exclusions: (domain, sinceVersion, nowMs) => health.exclusions(domain, sinceVersion, nowMs),
    merge: (domain, told, nowMs) => health.merge(domain, told, nowMs),
    putAgents: (agents) => fleet.putAgents(agents),
    removeAgents: (ids) => fleet.removeAgents(ids),
    agents: (sinceVersion) => fleet.agents(sinceVersion),
    ping: () => fleet.ping(),
    check: () => inspect(engine.link.client),
    ...(resolved.subscribe && {
      subscribe: (onChange: (domain: string | null) => void) => {
        engine.check()
        return followed(changes, context.who, onChange)
      },
    }),
    close: async () => {
      changes.close()
      await engine.close()
    },
  }
}

function linkOf({ client, url, budgetMs }: ResolvedOptions): Link {
  if (client !== undefined) return new Link(client, false, budgetMs)
  return new Link(openClient(url as string, budgetMs), true, budgetMs)
}

/** Remembers denials only while refunds of other processes are heard. */
function denialsOf({ denialCache, subscribe }: ResolvedOptions, changes: Changes): Denials | null {
  if (denialCache === 0 || !subscribe) return null
  const denials = new Denials(denialCache, false)
  changes.listen((message) => {
    if (message === null) denials.active = changes.up
    else if (message.startsWith('k:')) denials.forget(message.slice(2))
  })
  return denials
}
