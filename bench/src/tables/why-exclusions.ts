import { seededRandom } from '@ostler/core'
import type { Figure, Table } from '../case.ts'
import { timesOf } from './exclusions.ts'

// Experiments that show what keeps reports from what was promised of them: bench/src/report/reasons.ts names them.

const DOMAINS = 10_000
const EACH = 100
const TOGETHER = 100
/** As many buckets as a million pairs have, two to each. */
const BUCKETS = 1 << 19
const ROW_WORDS = 10
const LEASES = 1 << 16
const HALF = 128

export const whyExclusionTables: readonly Table[] = [
  {
    name: 'why: exclusions over 1,000 domains',
    about: 'A tenth of the million: what of a report is work, and what is memory.',
    full: true,
    gauges: [{ name: 'exclusions', kind: 'ours', processes: 1, measure: () => timesOf(1_000) }],
    bounds: [],
  },
  {
    name: 'why: 1,000,000 exclusions, by writing alone',
    about: `What is read and written of each, and no more: a lease by its id, a domain by its name, a pair's bucket, a row of ${ROW_WORDS * 4} bytes behind the domain's last, and a position put into the domain's order. No table grows, nothing is decided, checked, answered or told. ${DOMAINS.toLocaleString('en')} domains in turn, ${EACH} times.`,
    full: true,
    gauges: [
      { name: 'an exclusion written', kind: 'floor', measure: () => writing(DOMAINS) },
      { name: 'an exclusion written, 1,000 domains', kind: 'floor', measure: () => writing(1_000) },
    ],
    bounds: [],
  },
]

interface Bare {
  last: number
  size: number
  readonly positions: Uint32Array
}

/** The mean of the last round, as in the table that it explains. */
function writing(domainCount: number): readonly Figure[] {
  const random = seededRandom(5)
  const names = Array.from({ length: domainCount }, (_, i) => `d${i}.example`)
  const domains = new Map<string, Bare>(
    names.map((name) => [name, { last: 0, size: 0, positions: new Uint32Array(HALF * 2) }]),
  )
  const heads = new Int32Array(BUCKETS)
  const rows = new Int32Array((domainCount * EACH + 1) * ROW_WORDS)
  const leases = new Map<string, number>()
  let made = 0
  let ms = 0
  for (let round = 0; round < EACH; round++) {
    ms = 0
    for (let from = 0; from < domainCount; from += TOGETHER) {
      const ids = Array.from({ length: TOGETHER }, (_, i) => `lease${(from + i) % LEASES}`)
      const exits = ids.map(() => Math.floor(random() * 2 ** 24))
      for (const id of ids) leases.set(id, round)
      const startMs = performance.now()
      for (let i = 0; i < TOGETHER; i++) {
        leases.delete(ids[i])
        const domain = domains.get(names[from + i])
        if (domain !== undefined) write(domain, exits[i], ++made, heads, rows)
      }
      ms += performance.now() - startMs
    }
  }
  if (made !== domainCount * EACH || leases.size > 0) throw new Error(`${made} were written`)
  const name =
    domainCount === DOMAINS ? 'an exclusion written' : 'an exclusion written, 1,000 domains'
  return [{ name, unit: 'ns', value: (ms * 1e6) / domainCount }]
}

function write(domain: Bare, exit: number, row: number, heads: Int32Array, rows: Int32Array): void {
  const bucket = (Math.imul(exit ^ row, 0x9e3779b1) >>> 8) & (BUCKETS - 1)
  const at = row * ROW_WORDS
  rows[at] = heads[bucket]
  heads[bucket] = row
  for (let word = 1; word < ROW_WORDS; word++) rows[at + word] = exit + word
  rows[domain.last * ROW_WORDS + 1] = row
  domain.last = row
  const { positions, size } = domain
  let low = 0
  let high = size
  while (low < high) {
    const middle = (low + high) >>> 1
    if (positions[middle] < exit) low = middle + 1
    else high = middle
  }
  positions.copyWithin(low + 1, low, size)
  positions.copyWithin(HALF + low + 1, HALF + low, HALF + size)
  positions[low] = exit
  positions[HALF + low] = row
  domain.size = size + 1
}
