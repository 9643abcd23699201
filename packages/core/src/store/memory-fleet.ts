import type { AgentBreaker } from '../health/breaker.ts'
import type { StoredAgent } from '../pick/agent.ts'
import { Descriptions } from '../pick/descriptions.ts'
import { OstlerError } from '../errors.ts'
import { AHEAD } from '../table.ts'
import { ChangeLog } from './change-log.ts'
import type { AgentChange, AgentChanges } from './store.ts'

/** Breakers and excluded exits of agents that were never put: so many beside the fleet's own. */
const MOST_STRANGERS = 1_024

interface Breaker {
  readonly id: string
  readonly breaker: AgentBreaker
}

interface ExcludedExit {
  readonly exit: string
  readonly untilMs: number
}

interface Versioned {
  readonly version: number
  readonly change: AgentChange
}

/** Agents, their breakers and the exits that are excluded everywhere, each in order of change, under one count of versions. */
export class MemoryFleet {
  readonly #agents = new ChangeLog<StoredAgent>(idOf, new Descriptions())
  readonly #breakers = new ChangeLog<Breaker>(idOf)
  /** Manual exclusions for every domain: the instant that each ends. */
  readonly #exits = new ChangeLog<ExcludedExit>(({ exit }) => exit)
  readonly #maxAgents: number
  #version = 0
  #quiet: AgentChanges = { version: 0, reset: false, changes: [] }

  constructor(maxAgents: number) {
    this.#maxAgents = maxAgents
  }

  get size(): number {
    return this.#agents.size
  }

  /** Answers the version then: one further for each agent. */
  put(agents: readonly StoredAgent[]): number {
    if (this.#agents.size + agents.length > this.#maxAgents) this.#checkRoom(agents)
    this.#inTurn(agents.map(idOf), (id, i) => this.#agents.set(id, agents[i], ++this.#version))
    return this.#version
  }

  /** Visits ids in order, with what the log has of the next ones read ahead. */
  #inTurn(ids: readonly string[], visit: (id: string, i: number) => void): void {
    for (let i = 0; i < ids.length; i++) {
      if (i % AHEAD === 0) this.#agents.lookAhead(ids.slice(i, i + AHEAD))
      visit(ids[i], i)
    }
  }

  #checkRoom(agents: readonly StoredAgent[]): void {
    // A new one that comes more than once counts once.
    const fresh = new Set<string>()
    this.#inTurn(agents.map(idOf), (id) => {
      if (!this.#agents.has(id)) fresh.add(id)
    })
    const total = this.#agents.size + fresh.size
    if (total <= this.#maxAgents) return
    const message = `the fleet must not exceed maxAgents = ${this.#maxAgents} agents, got ${total}`
    throw new OstlerError('FLEET_FULL', message)
  }

  /** Answers the version then. */
  remove(ids: readonly string[]): number {
    this.#inTurn(ids, (id) => {
      if (!this.#agents.has(id)) return
      if (this.#breakers.get(id) !== null) this.#breakers.set(id, null, ++this.#version)
      this.#agents.set(id, null, ++this.#version)
    })
    return this.#version
  }

  breaker(agentId: string): AgentBreaker | null {
    return this.#breakers.get(agentId)?.breaker ?? null
  }

  setBreaker(agentId: string, breaker: AgentBreaker | null): void {
    const named = breaker === null ? null : { id: agentId, breaker }
    this.#breakers.set(agentId, named, ++this.#version)
    if (this.#breakers.size <= this.#maxAgents + MOST_STRANGERS) return
    const oldest = this.#breakers.oldest()
    if (oldest !== null) this.#breakers.set(oldest.key, null, ++this.#version)
  }

  isExcluded(exit: string, nowMs: number): boolean {
    if (this.#exits.size === 0) return false
    return nowMs < (this.#exits.get(exit)?.untilMs ?? -Infinity)
  }

  excludeExit(exit: string, untilMs: number, nowMs: number): void {
    if (untilMs <= nowMs) {
      this.restoreExit(exit)
      return
    }
    if (this.#exits.get(exit) === null) this.#makeRoomForExit(nowMs)
    this.#exits.set(exit, { exit, untilMs }, ++this.#version)
  }

  restoreExit(exit: string): void {
    if (this.#exits.get(exit) !== null) this.#exits.set(exit, null, ++this.#version)
  }

  /** What changed since a version, oldest first; everything since 0. O(changes). */
  changes(sinceVersion: number): AgentChanges {
    const version = this.#version
    if (sinceVersion === version) {
      if (this.#quiet.version !== version) this.#quiet = { version, reset: false, changes: [] }
      return this.#quiet
    }
    const floor = Math.max(this.#agents.floor, this.#breakers.floor, this.#exits.floor)
    const reset = sinceVersion !== 0 && (sinceVersion > version || sinceVersion < floor)
    const since = reset ? 0 : sinceVersion
    const found: Versioned[] = []
    const told = (change: AgentChange, at: number): void => {
      found.push({ version: at, change })
    }
    this.#agents.since(since, (id, agent, at) => {
      if (agent !== null) told({ kind: 'put', agent }, at)
      else if (since > 0) told({ kind: 'removed', id }, at)
    })
    this.#breakers.since(since, (id, named, at) => {
      if (named !== null) told({ kind: 'breaker', id, breaker: named.breaker }, at)
      else if (since > 0)
        told({ kind: 'breaker', id, breaker: { failures: 0, downUntilMs: 0 } }, at)
    })
    this.#exits.since(since, (exit, excluded, at) => {
      if (excluded !== null) told({ kind: 'exit', exit, untilMs: excluded.untilMs }, at)
      else if (since > 0) told({ kind: 'exit', exit, untilMs: 0 }, at)
    })
    found.sort((a, b) => a.version - b.version)
    return { version, reset, changes: found.map(({ change }) => change) }
  }

  /** Drops an exclusion that has run out for each that comes; there are never more than agents may be. */
  #makeRoomForExit(nowMs: number): void {
    for (let i = 0; i < 2; i++) {
      const oldest = this.#exits.oldest()
      if (oldest === null || nowMs < oldest.value.untilMs) break
      this.#exits.set(oldest.key, null, ++this.#version)
    }
    if (this.#exits.size < this.#maxAgents + MOST_STRANGERS) return
    throw new OstlerError(
      'STORE_FULL',
      `the memory store holds ${this.#exits.size} exits that are excluded everywhere`,
    )
  }
}

function idOf({ id }: { readonly id: string }): string {
  return id
}
