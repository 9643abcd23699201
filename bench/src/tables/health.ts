import type { Case, Table } from '../case.ts'
import { loadPeer } from '../rig/peers.ts'
import { placedAgents } from '../rig/fleet.ts'
import { picking } from './pick.ts'

/** Pairs that the breakers stand for: one object each, as they are made for. */
const PAIRS = 10_000
const OPS = 16

/** What keeping a pair's health costs a dispatch that goes well. Theirs have no pick: they guard the one call that they wrap. */
export const healthTables: readonly Table[] = [
  {
    name: 'health of a pair, a dispatch that goes well',
    about: `Ours: pick and report(ok) among ${PAIRS.toLocaleString('en')} agents. Theirs: a call through the breaker of its (exit, domain), one of as many in a Map.`,
    full: true,
    cases: [picking(PAIRS, '1 %', 'country', 'ostler'), cockatiel(), opossum()],
    bounds: [],
  },
]

interface Breakers<Breaker> {
  readonly breakers: Map<string, Breaker>
  readonly names: readonly string[]
  next: number
  done: number
}

async function breakersOf<Breaker>(make: () => Breaker): Promise<Breakers<Breaker>> {
  const names = placedAgents(PAIRS).map(({ id }) => `${id} shop.example`)
  const breakers = new Map(names.map((name) => [name, make()]))
  return { breakers, names, next: 0, done: 0 }
}

function expectDone({ done, next }: Breakers<unknown>): void {
  if (next === 0 || done !== next) throw new Error(`${done} of ${next} calls were done`)
}

interface CockatielBreaker {
  execute<T>(call: () => Promise<T>): Promise<T>
}
interface Cockatiel {
  readonly handleAll: object
  readonly ConsecutiveBreaker: new (failures: number) => object
  circuitBreaker(policy: object, options: object): CockatielBreaker
}

async function dispatch(): Promise<number> {
  return 1
}

function cockatiel(): Case<Breakers<CockatielBreaker>> {
  return {
    name: 'cockatiel',
    kind: 'peer',
    note: 'consecutive breaker',
    ops: OPS,
    async: true,
    async setup() {
      const { circuitBreaker, handleAll, ConsecutiveBreaker } =
        await loadPeer<Cockatiel>('cockatiel')
      return breakersOf(() =>
        circuitBreaker(handleAll, { halfOpenAfter: 30_000, breaker: new ConsecutiveBreaker(3) }),
      )
    },
    async run(state) {
      const { breakers, names } = state
      for (let i = 0; i < OPS; i++) {
        const breaker = breakers.get(names[state.next++ % PAIRS])
        state.done += (await breaker?.execute(dispatch)) ?? 0
      }
    },
    validate: expectDone,
  }
}

interface OpossumBreaker {
  fire(): Promise<number>
  shutdown(): void
}

function opossum(): Case<Breakers<OpossumBreaker>> {
  return {
    name: 'opossum',
    kind: 'peer',
    note: 'without a time-out, without buckets that fill by a timer',
    ops: OPS,
    async: true,
    async setup() {
      const { default: Breaker } = await loadPeer<{
        default: new (call: () => Promise<number>, options: object) => OpossumBreaker
      }>('opossum')
      const options = { timeout: false, resetTimeout: 30_000, rollingCountTimeout: 600_000 }
      return breakersOf(() => new Breaker(dispatch, options))
    },
    async run(state) {
      const { breakers, names } = state
      for (let i = 0; i < OPS; i++) {
        state.done += (await breakers.get(names[state.next++ % PAIRS])?.fire()) ?? 0
      }
    },
    validate: expectDone,
    close({ breakers }) {
      for (const breaker of breakers.values()) breaker.shutdown()
    },
  }
}
