import type { Case, Kind } from '../case.ts'
import { keyNames } from '../rig/keys.ts'

/** So many that none of them uses up its 60 a minute. */
export const KEYS = 100_000

/** Calls at once, and how many each caller makes in a sample. */
export interface RedisLoad {
  readonly inFlight: number
  readonly calls: number
}

/** Calls something for a key; false where it was denied or not decided as it should be. */
export type Call = (key: string) => Promise<boolean>

/** Something to call on a connection that is open. */
export interface Opened {
  readonly call: Call
  readonly close: () => unknown
  /** What comes before each sample, outside of what is timed. */
  readonly before?: () => Promise<void>
}

interface Calling extends Opened {
  readonly keys: readonly string[]
  next: number
  made: number
  allowed: number
}

/** So many callers at once, each of which waits for its answer before its next call. */
export function callers(
  name: string,
  kind: Kind,
  { inFlight, calls }: RedisLoad,
  open: () => Promise<Opened>,
  note?: string,
): Case<Calling> {
  return {
    name,
    kind,
    ops: inFlight * calls,
    async: true,
    ...(note !== undefined && { note }),
    async setup() {
      return { ...(await open()), keys: keyNames(KEYS), next: 0, made: 0, allowed: 0 }
    },
    before: async (state) => state.before?.(),
    async run(state) {
      if (inFlight === 1) {
        await callOnce(state)
        return
      }
      const caller = async (): Promise<void> => {
        for (let i = 0; i < calls; i++) await callOnce(state)
      }
      await Promise.all(Array.from({ length: inFlight }, caller))
    },
    validate({ made, allowed }) {
      if (made === 0 || allowed !== made) throw new Error(`${allowed} of ${made} were admitted`)
    },
    async close(state) {
      await state.close()
    },
  }
}

/** Keys come in an order in which none comes again soon. */
async function callOnce(state: Calling): Promise<void> {
  const key = state.keys[(state.next++ * 7_919) % KEYS]
  state.made++
  if (await state.call(key)) state.allowed++
}
