import {
  memoryStore,
  Scheduler,
  seededRandom,
  type Lease,
  type Mode,
  type PickRequest,
  type PickResult,
  type Result,
  type Settled,
  type Store,
} from '@ostler/core'
import { andThen } from '../run/and-then.ts'
import type { Response } from '../world/responses.ts'
import { START_MS } from '../world/trace.ts'
import { mix } from '../world/weighted.ts'
import type { World } from '../world/world.ts'
import type { Choice, Picker, PolicySpec } from './policy.ts'

/**
 * The scheduler itself, as an embedder gets it: default options, the memory store, the virtual
 * clock, a seeded source.
 */
export const ostlerPolicy: PolicySpec = ostlerOn(() => memoryStore())

/**
 * The same scheduler on a store of the caller's, who closes it: empty, and deciding at the `nowMs`
 * that it is given, for time is virtual. A store that is out of reach fails the run: a figure that
 * depends on the store's speed would be no figure.
 */
export function ostlerOn<M extends Mode>(open: () => Store<M>): PolicySpec<M> {
  return {
    name: 'ostler',
    summary: 'nearest rested agent; exclusions per exit and domain that heal',
    start: (world) => {
      const ostler = new Ostler(world, open())
      return andThen(ostler.putAgents(), () => ostler) as Result<M, Ostler<M>>
    },
  }
}

class Ostler<M extends Mode> implements Picker<Lease, M> {
  exclusions = 0
  probes = 0
  readonly #world: World
  readonly #scheduler: Scheduler<M>
  readonly #domains: readonly string[]
  readonly #indexOf: ReadonlyMap<string, number>
  #nowMs = START_MS

  constructor(world: World, store: Store<M>) {
    const { fleet, domains, seed } = world
    this.#world = world
    this.#domains = domains.map((domain) => domain.name)
    this.#indexOf = new Map(fleet.agents.map((agent, i) => [agent.id, i]))
    this.#scheduler = new Scheduler({
      store,
      clock: { nowMs: () => this.#nowMs },
      random: seededRandom(mix(seed, 109, 0)),
      degraded: { limits: 'deny', picks: 'refuse' },
    })
  }

  putAgents(): Result<M, void> {
    return this.#scheduler.agents.upsert(this.#world.fleet.agents)
  }

  pick({ nowMs, domain, hint }: Parameters<Picker['pick']>[0]): Result<M, Choice<Lease> | null> {
    this.#nowMs = nowMs
    const request: PickRequest =
      hint.text === null
        ? { domain: this.#domains[domain] }
        : { domain: this.#domains[domain], geo: hint.text }
    const picked: PickResult | Promise<PickResult> = this.#scheduler.pick(request)
    return andThen(picked, (result) => this.#chosen(result)) as Result<M, Choice<Lease> | null>
  }

  report(
    { token: lease }: Choice<Lease>,
    { outcome }: Response,
    latencyMs: number,
    nowMs: number,
  ): Result<M, void> {
    this.#nowMs = nowMs
    const settled: Settled | Promise<Settled> = this.#scheduler.report(lease, {
      ...outcome,
      latencyMs,
    })
    return andThen(settled, ({ kind, record }) => {
      // Entering an exclusion raises the pair's epoch.
      if (kind === 'applied' && (record?.epoch ?? 0) > lease.epoch) this.exclusions++
    }) as Result<M, void>
  }

  #chosen(picked: PickResult): Choice<Lease> | null {
    if (picked.kind === 'exhausted') return null
    if (picked.probe) this.probes++
    return { agent: this.#indexOf.get(picked.agent.id)!, token: picked.lease }
  }
}
