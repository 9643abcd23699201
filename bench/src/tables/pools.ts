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
  readonly id: string
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
  readonly Session: new (options: object) => Session
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
    note: 'no place; sessions are copies of one, for making one takes 0.3 ms; retired ones are put back between the samples, for a call that meets one drops them all',
    async: true,
    async setup() {
      const { SessionPool, Session, log } = await loadPeer<Crawlee>('@crawlee/core')
      log.setLevel(0)
      let first: Session | null = null
      let made = 0
      const pool = await SessionPool.open({
        maxPoolSize: size,
        persistenceOptions: { enable: false },
        createSessionFunction(sessionPool: SessionPool): Session {
          // No number of uses is to wear a session out here.
          const options = { sessionPool, maxUsageCount: Infinity, maxAgeSecs: 86_400 }
          first ??= new Session(options)
          const session = Object.create(Object.getPrototypeOf(first) as object) as Session
          return Object.assign(session, first, { id: `s${made++}` })
        },
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
interface Undici {
  readonly BalancedPool: new (origins: readonly string[]) => Balanced
  readonly RoundRobinPool: new (origin: string, options: object) => Dispatcher
}

/** Takes every request and sends none: a pool is asked to choose, and for nothing else. */
class Taking implements Dispatcher {
  readonly closed = false
  readonly destroyed = false
  dispatch(): boolean {
    return true
  }
}
type Upstream = Taking & Record<symbol, number>

const REQUEST = { origin: 'http://target.example', path: '/', method: 'GET' }
const HANDLER = { onRequestStart: () => undefined, onResponseError: () => undefined }

export function balancedPool(size: number, exclusion: Exclusion): Case<Picks<Balanced>> {
  return {
    name: "undici's BalancedPool",
    kind: 'peer',
    note: 'no place; what is excluded has the least weight, as after failures; upstreams are put in directly, for adding them takes n * n steps',
    async setup() {
      const { BalancedPool } = await loadPeer<Undici>('undici')
      const pool = new BalancedPool(['http://a0.example'])
      const upstreams = upstreamsOf(pool)
      const weight = symbolOf(upstreams[0], 'kWeight')
      const most = upstreams[0][weight]
      const excluded = excludedOf(placedAgents(size), exclusion)
      upstreams.length = 0
      for (const isExcluded of excluded) {
        upstreams.push(Object.assign(new Taking(), { [weight]: isExcluded === 1 ? 1 : most }))
      }
      pool._updateBalancedPoolStats()
      return { pool, picked: 0 }
    },
    run(state) {
      if (state.pool.dispatch(REQUEST, HANDLER)) state.picked++
    },
    validate: expectPicks,
  }
}

/** Excludes nothing and knows no upstream from another: what picking costs that decides nothing. */
export function roundRobinPool(size: number): Case<Picks<Dispatcher>> {
  return {
    name: "undici's RoundRobinPool",
    kind: 'floor',
    note: 'excludes nothing: the connections of one upstream in turn',
    async setup() {
      const { RoundRobinPool } = await loadPeer<Undici>('undici')
      const pool = new RoundRobinPool('http://a0.example', { connections: size })
      const upstreams = upstreamsOf(pool)
      for (let i = 0; i < size; i++) upstreams.push(new Taking() as Upstream)
      return { pool, picked: 0 }
    },
    run(state) {
      if (state.pool.dispatch(REQUEST, HANDLER)) state.picked++
    },
    validate: expectPicks,
  }
}

function upstreamsOf(pool: Dispatcher): Upstream[] {
  return (pool as unknown as Record<symbol, Upstream[]>)[symbolOf(pool, 'clients')]
}

function symbolOf(object: object, name: string): symbol {
  for (let part: object | null = object; part !== null; part = Object.getPrototypeOf(part)) {
    const found = Object.getOwnPropertySymbols(part).find(({ description }) => description === name)
    if (found !== undefined) return found
  }
  throw new Error(`undici has no ${name} any more`)
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
