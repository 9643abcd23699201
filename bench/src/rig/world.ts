import { memoryStore, Scheduler, seededRandom, type Agent } from '@ostler/core'
import { benchClock, fill, placedAgents, START_MS, type BenchClock } from './fleet.ts'
import { shuffled } from './random.ts'

/** How much of the fleet a domain excludes: a share at random, the country that the hint names, or all but one agent. */
export const EXCLUSIONS = [
  '0 %',
  '1 %',
  '50 %',
  '99 %',
  '99.9 %',
  'nearest country',
  'all but one',
] as const
export type Exclusion = (typeof EXCLUSIONS)[number]

/** Hints are taken in turn, so that no place's luck decides a number; a power of two of them. */
const HINTS = {
  country: ['DE', 'US', 'BR', 'JP', 'FR', 'ZA', 'IN', 'AU'],
  coordinate: [
    '48.21,16.37',
    '40.71,-74.01',
    '-23.55,-46.63',
    '35.68,139.69',
    '-17.71,178.07',
    '64.15,-21.94',
    '19.08,72.88',
    '-33.87,151.21',
  ],
  none: [undefined],
} as const
export type Hint = keyof typeof HINTS
export const HINT_KINDS = Object.keys(HINTS) as Hint[]

/** The country that `nearest country` excludes, and a place in its midst. */
const NEAREST = { country: ['DE'], coordinate: ['51.16,10.45'], none: [undefined] } as const

export const FAR_MS: number = START_MS + 20 * 86_400_000

/** A fleet, and domains that exclude some of it. */
export interface World {
  readonly clock: BenchClock
  readonly scheduler: Scheduler
  readonly agents: readonly Agent[]
  /** By domain: 1 for each agent that it excludes, by index. */
  readonly excluded: Map<string, Uint8Array>
}

const worlds = new Map<number, World>()

/** The one world of so many agents in this process. */
export function worldOf(count: number): World {
  const known = worlds.get(count)
  if (known !== undefined) return known
  const clock = benchClock()
  const scheduler = new Scheduler({
    store: memoryStore({ maxRecords: 8_000_000 }),
    clock,
    random: seededRandom(7),
  })
  const agents = placedAgents(count)
  fill(scheduler, agents)
  const world = { clock, scheduler, agents, excluded: new Map() }
  worlds.set(count, world)
  return world
}

export function domainOf(exclusion: Exclusion): string {
  return `${exclusion.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '')}.example`
}

/** Excludes what the kind says from a domain, beyond what is excluded from it already. Answers which agents, by index. */
export function exclude(
  world: World,
  exclusion: Exclusion,
  domain: string = domainOf(exclusion),
): Uint8Array {
  const chosen = excludedOf(world.agents, exclusion)
  const before = world.excluded.get(domain)
  for (let i = 0; i < chosen.length; i++) {
    if (chosen[i] === before?.[i]) continue
    if (chosen[i] === 0 && before !== undefined) {
      throw new Error(`${domain} excludes more than ${exclusion} already`)
    }
    if (chosen[i] === 1) world.scheduler.exclude(world.agents[i].id, domain, FAR_MS)
  }
  world.excluded.set(domain, chosen)
  return chosen
}

/** 1 for each agent that is excluded, by index. */
export function excludedOf(agents: readonly Agent[], exclusion: Exclusion): Uint8Array {
  const chosen = new Uint8Array(agents.length)
  if (exclusion === 'nearest country') {
    agents.forEach(({ country }, i) => (chosen[i] = country === NEAREST.country[0] ? 1 : 0))
    return chosen
  }
  const count =
    exclusion === 'all but one'
      ? agents.length - 1
      : Math.floor((agents.length * Number.parseFloat(exclusion)) / 100)
  for (const i of shuffled(agents.length, 11).subarray(0, count)) chosen[i] = 1
  return chosen
}

export function hintsOf(exclusion: Exclusion, hint: Hint): readonly (string | undefined)[] {
  return exclusion === 'nearest country' ? NEAREST[hint] : HINTS[hint]
}
