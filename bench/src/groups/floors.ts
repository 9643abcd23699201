import type { Group } from '../group.ts'
import { zipfRanks } from '../random.ts'

/** What no limiter and no pick can go below on this machine: one look-up, one write. */
interface Floor {
  readonly keys: readonly string[]
  readonly slots: Map<string, number>
  readonly counts: Float64Array
  readonly ranks: Uint32Array
  next: number
  sum: number
}

const KEYS = 10_000

export const floors: Group<Floor> = {
  name: 'floors',
  setup() {
    const keys = Array.from({ length: KEYS }, (_, i) => `key-${i}`)
    return {
      keys,
      slots: new Map(keys.map((key, i) => [key, i])),
      counts: new Float64Array(KEYS),
      ranks: zipfRanks(KEYS, 1 << 16, 3),
      next: 0,
      sum: 0,
    }
  },
  cases: [
    {
      name: 'an empty call: reading the timer',
      run(floor) {
        floor.sum++
      },
      validate: moved,
    },
    {
      name: 'Map.get and a typed array write, 1 key',
      run(floor) {
        floor.counts[floor.slots.get('key-0') ?? 0] += 1
        floor.sum++
      },
      validate: moved,
    },
    {
      name: 'Map.get and a typed array write, 10,000 Zipf keys',
      run(floor) {
        const key = floor.keys[floor.ranks[floor.next++ & 0xffff]]
        floor.counts[floor.slots.get(key) ?? 0] += 1
        floor.sum++
      },
      validate: moved,
    },
  ],
}

function moved(floor: Floor): void {
  if (floor.sum === 0) throw new Error('nothing ran')
}
