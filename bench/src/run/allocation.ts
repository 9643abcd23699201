import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import type { Case } from '../case.ts'
import { median } from './summary.ts'

/** The young generation of a process that counts bytes, in MB: nothing is collected before so much has been allocated. */
export const SEMI_SPACE_MB = 256
/** What one try may allocate: well below that, for what else the process allocates. */
const BUDGET = SEMI_SPACE_MB * 1e6 * 0.5
const WARM_UP_MS = 400
const TRIES = 5
const MOST_CALLS = 2_000

/** Bytes that one operation allocates: what the heap has grown by over many, with no collection between. */
export async function allocatedBytes(one: Case): Promise<number> {
  const { ops = 1 } = one
  const state = await one.setup()
  const run = async (): Promise<void> => {
    if (one.before !== undefined) await one.before(state)
    const running = one.run(state)
    if (one.async === true) await running
  }
  const untilMs = performance.now() + WARM_UP_MS
  while (performance.now() < untilMs) await run()
  const collections = watchCollections()
  const found: number[] = []
  let calls = 16
  for (let tries = 0; found.length < TRIES && tries < 4 * TRIES; tries++) {
    globalThis.gc?.()
    await collections()
    const bytes = await grown(calls, run)
    const wasCollected = (await collections()) > 0
    if (wasCollected) calls = Math.max(1, calls >> 1)
    else if (calls < MOST_CALLS && bytes * 4 < BUDGET) calls *= 4
    else found.push(bytes / (calls * ops))
  }
  one.validate(state)
  await one.close?.(state)
  if (found.length === 0) throw new Error(`${one.name}: each try was collected`)
  return Math.max(0, median(found))
}

/** The loop's own promises are taken off, by a run over nothing. */
async function grown(calls: number, run: () => Promise<void>): Promise<number> {
  const nothing = async (): Promise<void> => undefined
  const idle = await heapGrowth(calls, nothing)
  return (await heapGrowth(calls, run)) - idle
}

async function heapGrowth(calls: number, run: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < calls; i++) await run()
  return process.memoryUsage().heapUsed - before
}

/** Answers how many collections there were since it was last asked. */
function watchCollections(): () => Promise<number> {
  let count = 0
  const observer = new PerformanceObserver((list) => (count += list.getEntries().length))
  observer.observe({ entryTypes: ['gc'] })
  return async () => {
    // Entries are handed over in a later turn.
    for (let turn = 0; turn < 3; turn++) await setImmediate()
    const seen = count
    count = 0
    return seen
  }
}
