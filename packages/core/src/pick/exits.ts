import { LongInts } from '../list.ts'
import { hash32 } from '../random.ts'
import { HandleTable } from '../table.ts'
import type { StoredAgent } from './agent.ts'
import type { Descriptions } from './descriptions.ts'

const NEXT = 0
const BEFORE = 1

/**
 * Which agents stand behind which exit: chains of agent numbers, so that an exclusion finds all that share it.
 * An exit is known by the first agent of its chain; one that no exitIp names is its agent's own id, and kept by the fleet.
 */
export class Exits {
  readonly #agents: Descriptions
  readonly #table = new HandleTable()
  /** By exit: its first agent plus one. By agent: the next of its exit and the one before it, plus one; 0 for none. */
  readonly #firsts = new LongInts()
  readonly #links = new LongInts()
  /** Agents whose exit is their own id. */
  #own = 0

  constructor(agents: Descriptions) {
    this.#agents = agents
  }

  /** Distinct exits. */
  get size(): number {
    return this.#own + this.#table.size
  }

  /** The agent must stand in the list already, as it is described. */
  join(agent: number, { exitIp }: StoredAgent): void {
    if (exitIp === undefined) {
      this.#own++
      return
    }
    const hash = hash32(exitIp)
    let exit = this.#find(exitIp, hash)
    if (exit < 0) {
      exit = this.#table.add(hash)
      this.#firsts.set(exit, 0)
    }
    const first = this.#firsts.get(exit)
    this.#setLink(agent, NEXT, first)
    this.#setLink(agent, BEFORE, 0)
    if (first > 0) this.#setLink(first - 1, BEFORE, agent + 1)
    this.#firsts.set(exit, agent + 1)
  }

  /** The agent must still stand in the list, as it was described. */
  leave(agent: number, { exitIp }: StoredAgent): void {
    if (exitIp === undefined) {
      this.#own--
      return
    }
    const next = this.#link(agent, NEXT)
    const before = this.#link(agent, BEFORE)
    if (next > 0) this.#setLink(next - 1, BEFORE, before)
    if (before > 0) {
      this.#setLink(before - 1, NEXT, next)
      return
    }
    const exit = this.#find(exitIp, hash32(exitIp))
    if (next > 0) this.#firsts.set(exit, next)
    else this.#table.remove(exit)
  }

  /** Calls back with every agent that names this exit by its exitIp. */
  each(exit: string, visit: (agent: number) => void): void {
    const handle = this.#table.size === 0 ? -1 : this.#find(exit, hash32(exit))
    let agent = handle < 0 ? -1 : this.#firsts.get(handle) - 1
    while (agent >= 0) {
      const next = this.#link(agent, NEXT) - 1
      visit(agent)
      agent = next
    }
  }

  #find(exitIp: string, hash: number): number {
    const table = this.#table
    for (let exit = table.first(hash); exit >= 0; exit = table.next(exit)) {
      if (!table.isOf(exit, hash)) continue
      if (this.#agents.restOf(this.#firsts.get(exit) - 1)?.exitIp === exitIp) return exit
    }
    return -1
  }

  #link(agent: number, which: number): number {
    return this.#links.get(agent * 2 + which)
  }

  #setLink(agent: number, which: number, to: number): void {
    this.#links.set(agent * 2 + which, to)
  }
}
