import { exitOf, type Agent } from './agent.ts'

/** Which agents stand behind which exit: chains of agent numbers, so that an exclusion finds all that share it. */
export class Exits {
  /** The first agent of each exit that is named by an exitIp. */
  readonly #first: Map<string, number> = new Map()
  #next: Int32Array<ArrayBuffer> = new Int32Array(1024)
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
    if (agent >= this.#next.length) {
      const next = new Int32Array(Math.max(agent + 1, this.#next.length * 2))
      next.set(this.#next)
      this.#next = next
    }
    this.#next[agent] = this.#first.get(described.exitIp) ?? -1
    this.#first.set(described.exitIp, agent)
  }

  leave(agent: number, described: Agent): void {
    if (described.exitIp === undefined) {
      this.#own--
      return
    }
    const exit = exitOf(described)
    const first = this.#first.get(exit) as number
    const next = this.#next[agent]
    if (first !== agent) {
      let before = first
      while (this.#next[before] !== agent) before = this.#next[before]
      this.#next[before] = next
    } else if (next === -1) this.#first.delete(exit)
    else this.#first.set(exit, next)
  }

  /** Calls back with every agent that names this exit by its exitIp. */
  each(exit: string, visit: (agent: number) => void): void {
    for (let agent = this.#first.get(exit) ?? -1; agent !== -1;) {
      const next = this.#next[agent]
      visit(agent)
      agent = next
    }
  }
}
