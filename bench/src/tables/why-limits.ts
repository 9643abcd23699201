import type { Case, Table } from '../case.ts'
import { fewKeys, freshKeys, oneKey, zipfKeys, type Calls, type Load } from '../rig/keys.ts'
import { ostler } from './admit.ts'
import { mapAndWrite, resultObject } from './floors.ts'
import { byHandle } from './key-handle.ts'

// Experiments that show what keeps `admit` from what was promised of it: bench/src/report/reasons.ts names them.

const OPS = 1_024
const NEARLY_ALL = 0.95

export const whyLimitTables: readonly Table[] = [
  {
    name: 'why: admit, 1 key',
    about:
      'By handle there is only the log to be read and written; by name the key is found as well, and the answer is an object.',
    full: true,
    alone: [],
    cases: [
      byHandle('by handle', oneKey.stepMs, 0, NEARLY_ALL, oneKey),
      ostler(oneKey, 'by name'),
      resultObject(oneKey),
      mapAndWrite(oneKey),
    ],
    bounds: [],
  },
  {
    name: 'why: admit, 64 and 10,000 keys',
    about:
      'Whether it is memory: 64 keys lie in the nearest cache, 10,000 do not. Five lines: what a handle, its slot, its log and two neighbours in order of recency come to where nothing is decided.',
    full: true,
    alone: [],
    cases: [
      { ...ostler(fewKeys), name: 'by name, 64' },
      { ...ostler(zipfKeys), name: 'by name, 10,000' },
      byHandle('by handle, 64', fewKeys.stepMs, 0, NEARLY_ALL, fewKeys),
      byHandle('by handle, 10,000', zipfKeys.stepMs, 0, NEARLY_ALL),
      fiveLines(fewKeys, 'five lines, 64'),
      fiveLines(zipfKeys, 'five lines, 10,000'),
      { ...mapAndWrite(fewKeys), name: 'Map.get and a write, 64' },
      { ...mapAndWrite(zipfKeys), name: 'Map.get and a write, 10,000' },
    ],
    bounds: [],
  },
  {
    name: 'why: admit, 1,000,000 fresh strings',
    about:
      'The least that finds a string nobody has hashed yet, in JavaScript: its hash, then a bucket and the row that it names, which is written.',
    full: true,
    alone: [],
    cases: [hashing(freshKeys), bareTable(freshKeys), mapAndWrite(freshKeys)],
    bounds: [],
  },
]

const LINE = 8

interface Lines {
  readonly handles: readonly { readonly slot: number }[]
  readonly slots: Float64Array
  readonly logs: Float64Array
  readonly links: Float64Array
  found: number
}

/** Each read says where the next one is. */
function fiveLines(load: Load, name: string): Case<Calls<Lines>> {
  return {
    name,
    kind: 'floor',
    ops: OPS,
    setup() {
      const { keyCount } = load
      const places = Array.from({ length: keyCount }, (_, i) => (i * 7_919) % keyCount)
      const handles = places.map((slot) => ({ slot }))
      const column = (step: number): Float64Array => {
        const rows = new Float64Array(keyCount * LINE)
        for (let i = 0; i < keyCount; i++) rows[i * LINE] = (i * step) % keyCount
        return rows
      }
      const lines = { slots: column(31), logs: column(37), links: column(41) }
      return load.calls({ handles, ...lines, found: 0 })
    },
    run(calls) {
      const { order, limiter } = calls
      const { handles, slots, logs, links } = limiter
      const mask = order.length - 1
      let found = 0
      for (let i = 0; i < OPS; i++) {
        const { slot } = handles[order[calls.at++ & mask]]
        const log = slots[slot * LINE]
        const before = logs[log * LINE]
        const after = links[before * LINE]
        logs[log * LINE + 1] += 1
        links[before * LINE + 1] = slot
        links[after * LINE + 2] = slot
        found += after
      }
      limiter.found += found
      calls.made += OPS
    },
    validate: ({ limiter, made }) => expectSome(limiter.found, made),
  }
}

function hashing(load: Load): Case<Calls<{ sum: number }>> {
  return {
    name: 'hashing',
    kind: 'floor',
    ops: OPS,
    setup: () => load.calls({ sum: 0 }),
    ...(load.refresh && { before: (calls) => load.refresh?.(calls) }),
    run(calls) {
      const { keys, limiter } = calls
      let sum = 0
      for (let i = 0; i < OPS; i++) sum ^= hashOf(keys[i])
      limiter.sum += sum >>> 0
      calls.made += OPS
    },
    validate: ({ limiter, made }) => expectSome(limiter.sum, made),
  }
}

interface Bare {
  readonly buckets: Int32Array
  readonly rows: Int32Array
}

/** A bucket for each two keys or so; a key that falls into a bucket that is taken has that one's row. */
function bareTable(load: Load): Case<Calls<Bare>> {
  return {
    name: 'hashing, a bucket and its row',
    kind: 'floor',
    ops: OPS,
    setup() {
      const buckets = new Int32Array(1 << 21)
      const rows = new Int32Array(load.keyCount * 16)
      let row = 0
      for (const key of load.everyKey()) buckets[hashOf(key) & (buckets.length - 1)] = row++
      return load.calls({ buckets, rows })
    },
    ...(load.refresh && { before: (calls) => load.refresh?.(calls) }),
    run(calls) {
      const { keys, limiter } = calls
      const { buckets, rows } = limiter
      const mask = buckets.length - 1
      for (let i = 0; i < OPS; i++) rows[buckets[hashOf(keys[i]) & mask] << 4]++
      calls.made += OPS
    },
    validate({ limiter, made }) {
      let counted = 0
      for (let i = 0; i < limiter.rows.length; i += 16) counted += limiter.rows[i]
      if (counted !== made) throw new Error(`${counted} of ${made} were counted`)
    },
  }
}

function hashOf(key: string): number {
  let hash = 0
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x5bd1_e995)
  return hash ^ (hash >>> 15)
}

function expectSome(found: number, made: number): void {
  if (made === 0 || found === 0) throw new Error('nothing was found')
}
