import type { Agent } from './agent.ts'

/** Which agents stand behind which exit: chains of agent numbers, so that an exclusion finds all that share it. */
export class Exits {
  /** The first agent of each exit that is named by an exitIp. */
  readonly #first: Map<string, number> = new Map()
  #next: Int32Array<ArrayBuffer> = new Int32Array(1024)
  #before: Int32Array<ArrayBuffer> = new Int32Array(1024)
  /** Agents whose exit is their own id. */
  #own = 0

  /** Distinct exits. */
  get size(): number {
    return this.#own + this.#first.size
  }

  join(agent: number, described: Agent): void {
    if (described.exitIp === undefined) {
      this.#own++
      return
    }
    if (agent >= this.#next.length) this.#grow(agent)
    const first = this.#first.get(described.exitIp) ?? -1
    this.#next[agent] = first
    this.#before[agent] = -1
    if (first !== -1) this.#before[first] = agent
    this.#first.set(described.exitIp, agent)
  }

  leave(agent: number, described: Agent): void {
    if (described.exitIp === undefined) {
      this.#own--
      return
    }
    const next = this.#next[agent]
    const before = this.#before[agent]
    if (next !== -1) this.#before[next] = before
    if (before !== -1) this.#next[before] = next
    else if (next !== -1) this.#first.set(described.exitIp, next)
    else this.#first.delete(described.exitIp)
  }

  /** Calls back with every agent that names this exit by its exitIp. */
  each(exit: string, visit: (agent: number) => void): void {
    for (let agent = this.#first.get(exit) ?? -1; agent !== -1;) {
      const next = this.#next[agent]
      visit(agent)
      agent = next
    }
  }

  #grow(agent: number): void {
    const size = Math.max(agent + 1, this.#next.length * 2)
    const next = new Int32Array(size)
    const before = new Int32Array(size)
    next.set(this.#next)
    before.set(this.#before)
    this.#next = next
    this.#before = before
  }
}
