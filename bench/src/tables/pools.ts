import type { Case } from '../case.ts'
import { placedAgents } from '../rig/fleet.ts'
import { loadPeer } from '../rig/peers.ts'
import { excludedOf, type Exclusion } from '../rig/world.ts'

interface Picks<Pool> {
  readonly pool: Pool
  picked: number
}

function expectPicks({ picked }: Picks<unknown>): void {
  if (picked === 0) throw new Error('nothing was picked')
}

interface Session {
  isUsable(): boolean
  markGood(): void
  retire(): void
}
interface SessionPool {
  getSession(): Promise<Session>
  /** Private, and so written back only outside of what is timed. */
  sessions: Session[]
}
interface Crawlee {
  readonly SessionPool: { open(options: object): Promise<SessionPool> }
  readonly log: { setLevel(level: number): void }
}

/** A session for each agent. One that is met retired has the pool drop all that are, and open a new one. */
export function sessionPool(
  size: number,
  exclusion: Exclusion,
): Case<Picks<SessionPool> & { readonly sessions: readonly Session[] }> {
  return {
    name: "Crawlee's SessionPool",
    kind: 'peer',
    note: 'no place; retired sessions are put back between the samples, for one that meets them drops them all',
    async: true,
    async setup() {
      const { SessionPool, log } = await loadPeer<Crawlee>('@crawlee/core')
      log.setLevel(0)
      const pool = await SessionPool.open({
        maxPoolSize: size,
        persistenceOptions: { enable: false },
        // Three good answers would not do to wear a session out, nor any number of uses here.
        sessionOptions: { maxUsageCount: Infinity, maxAgeSecs: 86_400 },
      })
      for (let i = 0; i < size; i++) await pool.getSession()
      const excluded = excludedOf(placedAgents(size), exclusion)
      pool.sessions.forEach((session, i) => {
        if (excluded[i] === 1) session.retire()
      })
      return { pool, sessions: [...pool.sessions], picked: 0 }
    },
    before({ pool, sessions }) {
      // The array that was there before is whole unless the pool has put another in its place.
      if (pool.sessions.length !== sessions.length || pool.sessions[0] !== sessions[0]) {
        pool.sessions = [...sessions]
      }
    },
    async run(state) {
      const session = await state.pool.getSession()
      session.markGood()
      state.picked++
    },
    validate: expectPicks,
  }
}

interface Dispatcher {
  dispatch(options: object, handler: object): boolean
}
interface Balanced extends Dispatcher {
  _updateBalancedPoolStats(): void
}
type Upstreams = Record<symbol, Record<symbol, number>[]>
interface Undici {
  readonly Pool: new (origin: string, options?: object) => Dispatcher
  readonly BalancedPool: new (origins: readonly string[], options: object) => Balanced
  readonly RoundRobinPool: new (origin: string, options: object) => Dispatcher
  readonly Client: new (origin: string) => Dispatcher
}

const REQUEST = { origin: 'http://target.example', path: '/', method: 'GET' }
const HANDLER = { onRequestStart: () => undefined, onResponseError: () => undefined }

/** Upstreams that take every request and send none. */
export function balancedPool(size: number, exclusion: Exclusion): Case<Picks<Balanced>> {
  return {
    name: "undici's BalancedPool",
    kind: 'peer',
    note: 'no place; what is excluded has the least weight, as after failures; put there directly, for adding upstreams takes n * n steps',
    async setup() {
      const { Pool, BalancedPool } = await loadPeer<Undici>('undici')
      class Taking extends Pool {
        override dispatch(): boolean {
          return true
        }
      }
      const factory = (origin: string): Dispatcher => new Taking(origin)
      const pool = new BalancedPool(['http://a0.example'], { factory })
      const parts = pool as unknown as Upstreams
      const clients = parts[symbolOf(pool, 'clients')]
      const weight = symbolOf(clients[0], 'kWeight')
      const most = clients[0][weight]
      for (let i = 1; i < size; i++) {
        clients.push(new Taking(`http://a${i}.example`) as unknown as Record<symbol, number>)
      }
      const excluded = excludedOf(placedAgents(size), exclusion)
      clients.forEach((client, i) => (client[weight] = excluded[i] === 1 ? 1 : most))
      pool._updateBalancedPoolStats()
      return { pool, picked: 0 }
    },
    run(state) {
      if (state.pool.dispatch(REQUEST, HANDLER)) state.picked++
    },
    validate: expectPicks,
  }
}

function symbolOf(object: object, name: string): symbol {
  for (let part: object | null = object; part !== null; part = Object.getPrototypeOf(part)) {
    const found = Object.getOwnPropertySymbols(part).find(({ description }) => description === name)
    if (found !== undefined) return found
  }
  throw new Error(`undici has no ${name} any more`)
}

/** Excludes nothing and knows no upstream from another: what picking costs that decides nothing. */
export function roundRobinPool(size: number): Case<Picks<Dispatcher>> {
  return {
    name: "undici's RoundRobinPool",
    kind: 'floor',
    note: 'excludes nothing: the connections of one upstream in turn',
    async setup() {
      const { RoundRobinPool, Client } = await loadPeer<Undici>('undici')
      class Taking extends Client {
        override dispatch(): boolean {
          return true
        }
      }
      const pool = new RoundRobinPool('http://a0.example', {
        connections: size,
        factory: (origin: string) => new Taking(origin),
      })
      const clients = (pool as unknown as Upstreams)[symbolOf(pool, 'clients')]
      for (let i = 0; i < size; i++) {
        clients.push(new Taking('http://a0.example') as unknown as Record<symbol, number>)
      }
      return { pool, picked: 0 }
    },
    run(state) {
      if (state.pool.dispatch(REQUEST, HANDLER)) state.picked++
    },
    validate: expectPicks,
  }
}

interface ProxyConfiguration {
  newUrl(): Promise<string>
}

export function proxyConfiguration(size: number): Case<Picks<ProxyConfiguration>> {
  return {
    name: "Crawlee's ProxyConfiguration",
    kind: 'peer',
    note: 'excludes nothing: URLs in turn',
    async: true,
    async setup() {
      const { ProxyConfiguration } = await loadPeer<{
        ProxyConfiguration: new (options: object) => ProxyConfiguration
      }>('@crawlee/core')
      const proxyUrls = Array.from({ length: size }, (_, i) => `http://a${i}.example`)
      return { pool: new ProxyConfiguration({ proxyUrls }), picked: 0 }
    },
    async run(state) {
      if ((await state.pool.newUrl()).length > 0) state.picked++
    },
    validate: expectPicks,
  }
}
