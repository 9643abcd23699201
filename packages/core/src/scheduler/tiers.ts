import { OstlerError, shown } from '../errors.ts'
import type { ResolvedPolicy } from '../limit/policy.ts'
import type { Gate } from '../store/gate.ts'
import type { Store } from '../store/store.ts'
import { checkedTier, type ResolvedTier, type Tier } from './options.ts'
import { StoreGate } from './store-gate.ts'

/** A tier by its name: the same object whatever its policies become, so that who holds it sees the change. */
export interface StandingTier {
  readonly name: string
  policies: readonly ResolvedPolicy[]
  permits: number | null
  /** How a synchronous store decides its calls without permit and opId; null until the first one. */
  gate: Gate | null
}

/** The tiers of a scheduler, and their gates. */
export class Tiers {
  readonly #store: Store
  readonly #byName = new Map<string, StandingTier>()
  #last: StandingTier | undefined

  constructor(store: Store, tiers: ReadonlyMap<string, ResolvedTier>) {
    this.#store = store
    for (const [name, tier] of tiers) this.#put(name, tier)
  }

  /** The tier of a name, or undefined. Most calls ask for the same one as the call before. */
  find(name: string): StandingTier | undefined {
    const last = this.#last
    if (last !== undefined && last.name === name) return last
    return (this.#last = this.#byName.get(name))
  }

  /** @throws OstlerError UNKNOWN_TIER */
  get(name: string): StandingTier {
    const tier = this.find(name)
    if (tier !== undefined) return tier
    const known = [...this.#byName.keys()].slice(0, 10).join(', ') || 'none'
    throw new OstlerError('UNKNOWN_TIER', `tier must be one of: ${known}; got ${shown(name)}`)
  }

  values(): Iterable<StandingTier> {
    return this.#byName.values()
  }

  /** Adds a tier or changes one. @throws OstlerError INVALID_OPTIONS */
  set(name: string, tier: Tier): void {
    this.#put(name, checkedTier(this.#byName, name, tier))
  }

  /** Makes a tier's gate; null where the store answers by promises: it may have many answers under way at once. */
  open(tier: StandingTier): Gate | null {
    const store = this.#store
    if (store.mode === 'async') return null
    const { policies } = tier
    tier.gate = store.gate?.(policies) ?? new StoreGate(store as Store<'sync'>, policies)
    return tier.gate
  }

  #put(name: string, { policies, permits }: ResolvedTier): void {
    const known = this.#byName.get(name)
    if (known === undefined) this.#byName.set(name, { name, policies, permits, gate: null })
    else Object.assign(known, { policies, permits, gate: null })
  }
}
