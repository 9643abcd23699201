import type { Figure, Gauge, Table } from '../case.ts'
import { keyPortions } from '../rig/keys.ts'
import { Stopwatch } from '../rig/stopwatch.ts'

// Experiments that show what single calls are stalled by that keep things: bench/src/report/reasons.ts names them.

const MILLION = 1_000_000
const ARRAY_BYTES = 8_192
const ALL_BYTES = 256 * 2 ** 20

export const whyStallTables: readonly Table[] = [
  {
    name: 'why: the longest stall, by keeping alone',
    about:
      'Nothing is decided: 2,000,000 strings that are put into a list as they come, a thousand at a time; and typed arrays of 8 KB, 256 MB in all, each beside an object. The longest of the calls.',
    full: true,
    gauges: [
      longest('2,000,000 strings kept', keepStrings),
      longest('typed arrays, counted by the engine', (watch) =>
        keepArrays(watch, (bytes) => new ArrayBuffer(bytes)),
      ),
      longest('typed arrays of shared memory, not counted', (watch) =>
        keepArrays(watch, (bytes) => new SharedArrayBuffer(bytes)),
      ),
    ],
    bounds: [],
  },
]

function longest(name: string, run: (watch: Stopwatch) => number): Gauge {
  return {
    name,
    kind: 'floor',
    async measure(): Promise<readonly Figure[]> {
      const watch = new Stopwatch()
      if (run(watch) === 0) throw new Error('nothing was kept')
      const { worstMs } = await watch.stalls()
      return [{ name, unit: 'ms', value: worstMs }]
    },
  }
}

/** Half as many objects as a decision makes go by with each: so the collector comes about as often. */
function keepStrings(watch: Stopwatch): number {
  const lists: string[][] = []
  let sum = 0
  watch.begin()
  for (const keys of keyPortions(2 * MILLION)) {
    const list = new Array<string>(keys.length).fill('')
    lists.push(list)
    for (let i = 0; i < keys.length; i++) {
      watch.time(() => {
        list[i] = keys[i]
        const answer = { key: keys[i], allowed: true, left: sum + 0.5, resetAtMs: sum + 0.25 }
        sum += answer.left > answer.resetAtMs ? 1 : 0
      })
    }
  }
  return sum
}

function keepArrays(watch: Stopwatch, room: (bytes: number) => ArrayBufferLike): number {
  // Something to mark: as many objects as a middling process holds.
  const others = Array.from({ length: MILLION }, (_, i) => ({ i }))
  const arrays: Uint32Array[] = []
  watch.begin()
  for (let bytes = 0; bytes < ALL_BYTES; bytes += ARRAY_BYTES) {
    watch.time(() => {
      const words = new Uint32Array(room(ARRAY_BYTES))
      words.fill(others.length)
      arrays.push(words)
    })
  }
  return arrays.length
}
