import { setImmediate } from 'node:timers/promises'

let counted: typeof SharedArrayBuffer | null = null
let sharedBytes = 0

/**
 * Live memory in bytes, typed arrays included. Shared memory, which the engine does not count as anybody's, is counted from the first
 * call on. Needs --expose-gc.
 */
export async function liveBytes(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc')
  globalThis.SharedArrayBuffer = counted ??= countingShared()
  // What was collected is told in a later turn.
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc()
    await setImmediate()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external + sharedBytes
}

function countingShared(): typeof SharedArrayBuffer {
  const collected = new FinalizationRegistry<number>((bytes) => (sharedBytes -= bytes))
  return class extends SharedArrayBuffer {
    constructor(bytes: number = 0) {
      super(bytes)
      sharedBytes += bytes
      collected.register(this, bytes)
    }
  }
}
