import {
  memoryStore,
  Scheduler,
  seededRandom,
  type Lease,
  type PickRequest,
  type PickResult,
} from '@ostler/core'
import type { Response } from '../world/responses.ts'
import { START_MS } from '../world/trace.ts'
import { mix } from '../world/weighted.ts'
import type { World } from '../world/world.ts'
import type { Choice, Picker, PolicySpec } from './policy.ts'

/**
 * The scheduler itself, as an embedder gets it: default options, the memory store, the virtual
 * clock, a seeded source.
 */
export const ostlerPolicy: PolicySpec = {
  name: 'ostler',
  summary: 'nearest rested agent; exclusions per exit and domain that heal',
  start: (world) => new Ostler(world),
}

class Ostler implements Picker<Lease> {
  exclusions = 0
  probes = 0
  readonly #scheduler: Scheduler<'sync'>
  readonly #domains: readonly string[]
  readonly #indexOf: ReadonlyMap<string, number>
  #nowMs = START_MS

  constructor({ fleet, domains, seed }: World) {
    this.#domains = domains.map((domain) => domain.name)
    this.#indexOf = new Map(fleet.agents.map((agent, i) => [agent.id, i]))
    this.#scheduler = new Scheduler({
      store: memoryStore(),
      clock: { nowMs: () => this.#nowMs },
      random: seededRandom(mix(seed, 109, 0)),
    })
    this.#scheduler.agents.upsert(fleet.agents)
  }

  pick({ nowMs, domain, hint }: Parameters<Picker['pick']>[0]): Choice<Lease> | null {
    this.#nowMs = nowMs
    const request: PickRequest =
      hint.text === null
        ? { domain: this.#domains[domain] }
        : { domain: this.#domains[domain], geo: hint.text }
    const picked: PickResult = this.#scheduler.pick(request)
    if (picked.kind === 'exhausted') return null
    if (picked.probe) this.probes++
    return { agent: this.#indexOf.get(picked.agent.id)!, token: picked.lease }
  }

  report(
    { token: lease }: Choice<Lease>,
    { outcome }: Response,
    latencyMs: number,
    nowMs: number,
  ): void {
    this.#nowMs = nowMs
    const settled = this.#scheduler.report(lease, { ...outcome, latencyMs })
    // Entering an exclusion raises the pair's epoch.
    if (settled.kind === 'applied' && (settled.record?.epoch ?? 0) > lease.epoch) this.exclusions++
  }
}
