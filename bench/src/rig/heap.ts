import { setImmediate } from 'node:timers/promises'

const Uncounted = globalThis.SharedArrayBuffer
const SAMPLE = 4_096

let sharedBytes = 0
let buffers = 0
const collected = new FinalizationRegistry<number>((bytes) => {
  sharedBytes -= bytes
  buffers--
})
/** What counting takes of the heap for each buffer; null before the first. */
let bytesToCount: number | null = null

/**
 * Live memory in bytes, typed arrays included. Shared memory, which the engine does not count as anybody's, is counted from the first
 * call on; what that takes itself is taken off. Needs --expose-gc.
 */
export async function liveBytes(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc')
  bytesToCount ??= await startCounting()
  await collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external + sharedBytes - buffers * bytesToCount
}

async function startCounting(): Promise<number> {
  const counted = class extends Uncounted {
    constructor(bytes: number = 0) {
      super(bytes)
      sharedBytes += bytes
      buffers++
      collected.register(this, bytes)
    }
  }
  const plain = await heldBy(() => new Uncounted(8))
  const held = await heldBy(() => new counted(8))
  globalThis.SharedArrayBuffer = counted
  return Math.max(0, held - plain)
}

/** Bytes of the heap for each of many. */
async function heldBy(make: () => SharedArrayBuffer): Promise<number> {
  await collect()
  const before = process.memoryUsage().heapUsed
  const held = Array.from({ length: SAMPLE }, make)
  await collect()
  const bytes = process.memoryUsage().heapUsed - before
  return bytes / held.length
}

/** What was collected is told in a later turn. */
async function collect(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.()
    await setImmediate()
  }
}
