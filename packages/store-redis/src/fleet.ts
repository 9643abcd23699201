import {
  OstlerError,
  type AgentBreaker,
  type AgentChange,
  type AgentChanges,
  type StoredAgent,
} from '@ostler/core'
import type { CallOptions } from './engine.ts'
import { decodeBreaker } from './health-codec.ts'
import type { HealthContext } from './health-context.ts'
import { gathered } from './pages.ts'
import { Driven } from './driven.ts'

/** Changes in one answer of `agents`. */
const PAGE = 1_000
/** Agents that one decision puts or removes: a script must not hold up the server for long. */
const MOST_TOGETHER = 20_000

/**
 * More agents than this take longer than a usual budget may be: such a decision has its own, in
 * ms.
 */
const MOST_USUAL = 500
const LONG = { budgetMs: 900 }

const CHANGED = ['meta', 'announce', 'fleet']
const PUT = new Driven('put-agents', CHANGED)
const REMOVE = new Driven('remove-agents', CHANGED)
const AGENTS = new Driven('agents', ['meta'])
const PING = new Driven('ping')

const CLEARED: AgentBreaker = Object.freeze({ failures: 0, downUntilMs: 0 })

/**
 * Agents, their breakers and the exits that rest for every domain, on Redis, with the semantics
 * that `Store` states.
 */
export class RedisFleet {
  readonly #context: HealthContext
  readonly #maxAgents: number

  /** The options are trusted: the store's factory has checked them. */
  constructor(context: HealthContext, bounds: { readonly maxAgents?: number } = {}) {
    this.#context = context
    this.#maxAgents = bounds.maxAgents ?? 1_000_000
  }

  /** @throws OstlerError FLEET_FULL, INVALID_REQUEST above 20,000 agents */
  async putAgents(agents: readonly StoredAgent[]): Promise<number> {
    expectFew('putAgents', agents.length)
    const args = this.#headOfChange()
    args.push(this.#maxAgents)
    for (const agent of agents) args.push(agent.id, JSON.stringify(agent))
    const keys = this.#context.fleetKeys('g', 'c', 't')
    return (await this.#context.call(PUT, keys, args, budgetOf(agents.length))) as number
  }

  /** @throws OstlerError INVALID_REQUEST above 20,000 ids */
  async removeAgents(ids: readonly string[]): Promise<number> {
    expectFew('removeAgents', ids.length)
    const args = this.#headOfChange()
    for (const id of ids) args.push(id)
    const keys = this.#context.fleetKeys('g', 'b', 'c', 't')
    return (await this.#context.call(REMOVE, keys, args, budgetOf(ids.length))) as number
  }

  async agents(sinceVersion: number): Promise<AgentChanges> {
    const first = await this.#page(sinceVersion)
    const next = (since: number): Promise<Told> => this.#page(since)
    const gone = await gathered(sinceVersion, first, (value) => value, next)
    const { version, reset, lost, told } = gone
    const changes = Array.from(told, ([what, value]) => changeOf(what, value))
    return lost ? { version, reset, changes, lost } : { version, reset, changes }
  }

  /** Answers once the server decides, which takes reading and writing. Leaves nothing. */
  async ping(): Promise<void> {
    await this.#context.call(PING, [this.#context.keys.health('ping')], [])
  }

  /** The fleet's decisions have no time of their own. */
  #headOfChange(): (string | number)[] {
    return this.#context.headOfChange(0)
  }

  async #page(since: number): Promise<Told> {
    const keys = this.#context.fleetKeys('g', 'b', 'x', 'c')
    return (await this.#context.call(AGENTS, keys, [since, PAGE])) as Told
  }
}

type Told = readonly (number | string)[]

/** `p:` an agent, `b:` an agent's breaker, `x:` an exit; null for what is gone. */
function changeOf(what: string, value: string | null): AgentChange {
  const name = what.slice(2)
  switch (what[0]) {
    case 'b': {
      const breaker = value === null ? CLEARED : decodeBreaker(value)
      return { kind: 'breaker', id: name, breaker }
    }
    case 'x':
      return { kind: 'exit', exit: name, untilMs: Number(value ?? 0) }
    default:
      if (value === null) return { kind: 'removed', id: name }
      return { kind: 'put', agent: JSON.parse(value) as StoredAgent }
  }
}

function budgetOf(agents: number): CallOptions | undefined {
  return agents > MOST_USUAL ? LONG : undefined
}

function expectFew(what: string, count: number): void {
  if (count <= MOST_TOGETHER) return
  const message = `${what} takes at most ${MOST_TOGETHER} agents in one decision, got ${count}`
  throw new OstlerError('INVALID_REQUEST', `${message}: bring them in portions`)
}
