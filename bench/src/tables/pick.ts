import type { Case, Table } from '../case.ts'
import {
  domainOf,
  exclude,
  EXCLUSIONS,
  HINT_KINDS,
  hintsOf,
  worldOf,
  type Exclusion,
  type Hint,
  type World,
} from '../rig/world.ts'

const SIZES = [1_000, 10_000, 100_000, 1_000_000]
const OK = { kind: 'ok', latencyMs: 200 } as const

/**
 * One process holds a fleet, and a domain for each kind of exclusion. Of a million agents one domain holds all shares, one after the other:
 * each excludes whom the one before did, and to exclude so many again and again would take most of the time.
 */
export const pickTables: readonly Table[] = SIZES.map((size) => ({
  name: tableName(size),
  about: `pick and report(ok), one pair a sample, timer included; ${size.toLocaleString('en')} agents in real cities, memory store.`,
  heavy: size >= 100_000,
  full: size === 1_000_000,
  alone:
    size === 1_000_000
      ? ['50 %, coordinate']
      : ['0 %, country', '50 %, coordinate', '99.9 %, country'],
  cases: EXCLUSIONS.flatMap((exclusion) =>
    HINT_KINDS.map((hint) => {
      const name = `${exclusion}, ${hint}`
      if (size < 1_000_000) return picking(size, exclusion, hint, name)
      const domain = exclusion === 'nearest country' ? domainOf(exclusion) : 'shares.example'
      return { ...picking(size, exclusion, hint, name, domain), group: exclusion }
    }),
  ),
  bounds: [
    { row: '*', of: 'p50', most: 1_000 },
    { row: '*', of: 'p99', most: 3_000 },
    ...(size === 1_000_000 ? [{ row: '*', table: tableName(10_000), most: 2 }] : []),
  ],
}))

function tableName(size: number): string {
  return `pick and report, ${size.toLocaleString('en')} agents`
}

interface Picking {
  readonly world: World
  readonly domain: string
  readonly excluded: Uint8Array
  readonly hints: readonly (string | undefined)[]
  seed: number
  picked: number
  wrong: number
}

/** Time moves 1 ms a pick; seeds follow each other. */
export function picking(
  size: number,
  exclusion: Exclusion,
  hint: Hint,
  name: string,
  domain: string = domainOf(exclusion),
): Case<Picking> {
  return {
    name,
    kind: 'ours',
    setup() {
      const world = worldOf(size)
      const excluded = exclude(world, exclusion, domain)
      const hints = hintsOf(exclusion, hint)
      return { world, domain, excluded, hints, seed: 1, picked: 0, wrong: 0 }
    },
    run: pickAndReport,
    validate({ picked, wrong }) {
      if (picked === 0 || wrong > 0) throw new Error(`${picked} picked, ${wrong} of them wrong`)
    },
  }
}

function pickAndReport(state: Picking): void {
  const { scheduler, clock } = state.world
  const { domain, hints } = state
  clock.ms++
  const seed = state.seed++
  const geo = hints[seed & (hints.length - 1)]
  const pick = scheduler.pick(geo === undefined ? { domain, seed } : { domain, geo, seed })
  if (pick.kind === 'exhausted') {
    state.wrong++
    return
  }
  scheduler.report(pick.lease, OK)
  state.picked++
  // One in 64 is looked up, so that the check does not weigh on the time. Ids are `a` and the index.
  if ((seed & 63) === 0 && state.excluded[Number(pick.agent.id.slice(1))] === 1) state.wrong++
}
