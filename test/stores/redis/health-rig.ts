import { OstlerError, type Store } from '@ostler/core'
import { Link, openClient } from '../../../packages/store-redis/src/client.ts'
import { Changes, followed } from '../../../packages/store-redis/src/changes.ts'
import { Engine } from '../../../packages/store-redis/src/engine.ts'
import { RedisFleet } from '../../../packages/store-redis/src/fleet.ts'
import { HealthContext } from '../../../packages/store-redis/src/health-context.ts'
import { RedisHealth, type HealthBounds } from '../../../packages/store-redis/src/health.ts'
import { Keys } from '../../../packages/store-redis/src/keys.ts'

type Names =
  | 'acquire'
  | 'settle'
  | 'exclude'
  | 'restore'
  | 'exclusions'
  | 'merge'
  | 'putAgents'
  | 'removeAgents'
  | 'agents'

/** The methods of the contract that are about health and the fleet. */
export type HealthStore = Pick<Store<'async'>, Names>

export interface HealthHalf {
  readonly store: HealthStore
  readonly keys: Keys
  ping(): Promise<void>
  subscribe(onChange: (domain: string | null) => void): () => void
  close(): Promise<void>
}

export interface HalfOptions extends HealthBounds {
  readonly time?: 'server' | 'caller'
  readonly budgetMs?: number
  readonly prefix?: string
  /** What is decided about a pair is to be on a replica. */
  readonly replicated?: boolean
}

/** Opens the health and fleet half without the rest. */
export function openHealth(link: Link, options: HalfOptions = {}): HealthHalf {
  const { time = 'caller', budgetMs = 5_000, prefix = 'ostler', replicated = false } = options
  const engine = new Engine(link, { budgetMs, time, replicas: 1 })
  const keys = new Keys(prefix)
  const context = new HealthContext(engine, keys, { replicated })
  const health = new RedisHealth(context, options)
  const fleet = new RedisFleet(context, options)
  const changes = new Changes(link, keys.channel)
  return {
    store: {
      acquire: (request) => health.acquire(request),
      settle: (request) => health.settle(request),
      exclude: (exit, domain, untilMs, nowMs) => health.exclude(exit, domain, untilMs, nowMs),
      restore: (exit, domain, nowMs) => health.restore(exit, domain, nowMs),
      exclusions: (domain, since, nowMs) => health.exclusions(domain, since, nowMs),
      merge: (domain, told, nowMs) => health.merge(domain, told, nowMs),
      putAgents: (agents) => fleet.putAgents(agents),
      removeAgents: (ids) => fleet.removeAgents(ids),
      agents: (since) => fleet.agents(since),
    },
    keys,
    ping: () => fleet.ping(),
    subscribe: (onChange) => followed(changes, context.who, onChange),
    close: async () => {
      changes.close()
      await engine.close()
    },
  }
}

/** A connection of its own; closed with the half that it is given to. */
export function linkTo(url: string, budgetMs = 5_000): Link {
  return new Link(openClient(url, budgetMs), true, budgetMs)
}

/** What a call refuses with, or null. */
export async function codeOf(call: Promise<unknown>): Promise<string | null> {
  try {
    await call
    return null
  } catch (error) {
    if (error instanceof OstlerError) return error.code
    throw error
  }
}
