import type { Agent } from '@ostler/core'

/** What the naive model keeps of an agent besides its description. */
export interface NaiveMember {
  agent: Agent
  drained: boolean
  latencyMs: number | null
  /** The number of its last pick; 0 if it never was picked. */
  lastPick: number
  pickedAtMs: number
}

/** Agents by id. */
export class NaiveFleet {
  readonly members: Map<string, NaiveMember> = new Map()

  upsert(agents: readonly Agent[]): void {
    for (const agent of agents) {
      const known = this.members.get(agent.id)
      if (known === undefined) {
        this.members.set(agent.id, {
          agent,
          drained: false,
          latencyMs: null,
          lastPick: 0,
          pickedAtMs: 0,
        })
      } else {
        known.agent = agent
        known.drained = false
      }
    }
  }

  remove(ids: readonly string[]): void {
    for (const id of ids) this.members.delete(id)
  }

  drain(id: string): void {
    const member = this.members.get(id)
    if (member !== undefined) member.drained = true
  }

  /** Agents in the order that the caller gives: the fleet's own labelling is not the model's to know. */
  inOrder(order: readonly string[]): Agent[] {
    return order.map((id) => this.members.get(id)!.agent)
  }

  /** Distinct exits. */
  exits(): number {
    return new Set([...this.members.values()].map(({ agent }) => exitOf(agent))).size
  }
}

/** The address that targets see. */
export function exitOf(agent: Agent): string {
  return agent.exitIp ?? agent.id
}
