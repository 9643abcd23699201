import type { StoredAgent } from '../pick/agent.ts'
import { Fleet } from '../pick/fleet.ts'
import { Slots } from '../pick/slots.ts'
import type { AgentChange, AgentChanges, Mode, Store } from '../store/store.ts'
import { AHEAD } from '../table.ts'
import { unheeded } from './unheeded.ts'

/** Agents that are put again at once. */
const PORTION = 1_000

/**
 * The fleet as the store has it: follows the store's changes of agents, breakers and exits excluded everywhere,
 * and keeps the index and the slots in step.
 */
export class Roster {
  readonly fleet: Fleet = new Fleet()
  readonly slots: Slots = new Slots(this.fleet)
  readonly #store: Store
  #version = 0
  #asked = false
  /** The question under way, and the one after it. */
  #asking: Promise<void> | null = null
  #next: Promise<void> | null = null
  /** Until when agents rest by their breaker, and exits by hand; entries outlive their instant until they are next set. */
  readonly #downUntilMs: Map<string, number> = new Map()
  readonly #exitUntilMs: Map<string, number> = new Map()

  constructor(store: Store<Mode>) {
    this.#store = store
  }

  /** Whether the store has ever been asked. */
  get isKnown(): boolean {
    return this.#asked
  }

  /** Whether the store's fleet is at another version than this process has seen: a later one, or that of a store that has lost its data. */
  differs(fleetVersion: number | undefined): boolean {
    return fleetVersion !== undefined && fleetVersion !== this.#version
  }

  /**
   * Asks the store what changed; a promise from an asynchronous one. Cheap when nothing did. Who asks while a question is under way
   * shares the next one, for the first may have been answered too early.
   */
  follow(nowMs: number): void | Promise<void> {
    if (this.#store.mode === 'async') return this.#followLater(nowMs)
    const answer = (this.#store as Store<'sync'>).agents(this.#version)
    if (answer.version !== this.#version || answer.reset || answer.changes.length > 0) {
      this.absorb(answer, nowMs)
    }
  }

  #followLater(nowMs: number): Promise<void> {
    if (this.#asking !== null) {
      const next = (): Promise<void> => {
        this.#next = null
        return this.#followLater(nowMs)
      }
      return (this.#next ??= this.#asking.then(next, next))
    }
    const ask = async (): Promise<void> => {
      try {
        this.absorb(await this.#store.agents(this.#version), nowMs)
      } finally {
        this.#asking = null
      }
    }
    return (this.#asking = ask())
  }

  /** Takes in changes of the store, oldest first. An answer that a later one has overtaken is passed over. */
  absorb(answer: AgentChanges, nowMs: number): void {
    if (answer.reset && answer.lost !== true) this.#clear()
    const isStandIn = answer.version === 0 && !answer.reset
    this.#asked = true
    if (!answer.reset && !isStandIn && answer.version <= this.#version) return
    const before = answer.lost === true ? new Map(this.#agentsById()) : null
    this.#applyAll(answer.changes, nowMs)
    // What stands in for the store has no versions.
    if (!isStandIn) this.#version = answer.version
    if (before !== null) this.#putAgain(before, answer.changes)
  }

  /** Takes in agents that this process itself has just put, as the store's versions up to `version`. */
  put(agents: readonly StoredAgent[], version: number, nowMs: number): boolean {
    if (version !== this.#version + agents.length) return false
    this.#putAll(agents, nowMs)
    this.#version = version
    return true
  }

  /** Whether an exit is excluded by hand for all domains. */
  isByHand(exit: string, nowMs: number): boolean {
    return (this.#exitUntilMs.get(exit) ?? 0) > nowMs
  }

  /** The store has lost the fleet: the agents that it does not name are put again, by every process that knows them. */
  #putAgain(before: Map<string, StoredAgent>, told: readonly AgentChange[]): void {
    for (const change of told) if (change.kind === 'put') before.delete(change.agent.id)
    const agents = [...before.values()]
    for (let from = 0; from < agents.length; from += PORTION) {
      const portion = agents.slice(from, from + PORTION)
      unheeded(() => this.#store.putAgents(portion))
    }
  }

  *#agentsById(): Generator<[string, StoredAgent]> {
    for (const agent of this.fleet.values()) yield [agent.id, agent]
  }

  /** Agents that were put one after the other are put at once, as whoever put them did: so they stand in the same order here. */
  #applyAll(changes: readonly AgentChange[], nowMs: number): void {
    for (let from = 0, ahead = 0; from < changes.length;) {
      if (from >= ahead) {
        ahead = from + AHEAD
        this.fleet.lookAhead(removedIn(changes.slice(from, ahead)))
      }
      const agents: StoredAgent[] = []
      for (let i = from; i < changes.length; i++) {
        const change = changes[i]
        if (change.kind !== 'put') break
        agents.push(change.agent)
      }
      if (agents.length > 0) this.#putAll(agents, nowMs)
      else this.#apply(changes[from], nowMs)
      from += Math.max(agents.length, 1)
    }
  }

  #putAll(agents: readonly StoredAgent[], nowMs: number): void {
    this.fleet.putAll(agents, (number, isNew) => this.#arrived(number, isNew, nowMs))
  }

  #apply(change: AgentChange, nowMs: number): void {
    switch (change.kind) {
      case 'put':
        return this.#putAll([change.agent], nowMs)
      case 'removed':
        return this.#remove(change.id)
      case 'breaker': {
        note(this.#downUntilMs, change.id, change.breaker.downUntilMs)
        const agent = this.fleet.find(change.id)
        return agent === -1 ? undefined : this.#rest(agent, nowMs)
      }
      case 'exit':
        note(this.#exitUntilMs, change.exit, change.untilMs)
        return this.fleet.eachOfExit(change.exit, (agent) => this.#rest(agent, nowMs))
      default:
        return change satisfies never
    }
  }

  #arrived(agent: number, isNew: boolean, nowMs: number): void {
    if (this.#downUntilMs.size > 0 || this.#exitUntilMs.size > 0) this.#rest(agent, nowMs)
    if (isNew) this.slots.adopt(agent, this.fleet.agents.idOf(agent))
    else this.slots.review(agent)
  }

  #remove(id: string): void {
    const agent = this.fleet.find(id)
    if (agent === -1) return
    this.slots.abandon(agent, id)
    this.fleet.remove(id)
    this.#downUntilMs.delete(id)
  }

  #rest(agent: number, nowMs: number): void {
    const { agents } = this.fleet
    const downUntilMs = this.#downUntilMs.get(agents.idOf(agent)) ?? 0
    const untilMs = Math.max(downUntilMs, this.#exitUntilMs.get(agents.exitOf(agent)) ?? 0)
    this.fleet.rest(agent, untilMs > nowMs ? untilMs : 0)
  }

  #clear(): void {
    for (const { id } of Array.from(this.fleet.values())) this.#remove(id)
    this.#downUntilMs.clear()
    this.#exitUntilMs.clear()
  }
}

function removedIn(changes: readonly AgentChange[]): string[] {
  return changes.flatMap((change) => (change.kind === 'removed' ? [change.id] : []))
}

function note(instants: Map<string, number>, name: string, untilMs: number): void {
  if (untilMs > 0) instants.set(name, untilMs)
  else instants.delete(name)
}
