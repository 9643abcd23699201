import { setTimeout as delay } from 'node:timers/promises'
import { OstlerError, type Mode, type Scheduler, type Store } from '@ostler/core'

/** A store that can be put out of reach: each call then fails at once, and is counted. */
export class Switch {
  readonly store: Store
  isDown = false
  /** Fails after so many more calls. */
  callsLeft = Infinity
  refused = 0

  constructor(inner: Store) {
    const gate = (): void => {
      if (!this.isDown && this.callsLeft-- > 0) return
      this.isDown = true
      this.refused++
      throw new OstlerError('STORE_UNAVAILABLE', 'the store was put out of reach')
    }
    const gated: Record<string, unknown> = { ping: () => undefined }
    for (const [name, value] of Object.entries({ ...inner, ping: () => undefined })) {
      if (typeof value !== 'function' || name === 'close') gated[name] = value
      else {
        gated[name] = (...args: unknown[]) => {
          gate()
          return (value as (...all: unknown[]) => unknown)(...args)
        }
      }
    }
    delete gated['local']
    this.store = gated as unknown as Store
  }

  up(): void {
    this.isDown = false
    this.callsLeft = Infinity
  }
}

/** The scheduler has noticed that its store is back, and has told it everything. */
export async function recovered(scheduler: Scheduler<Mode>): Promise<void> {
  for (let i = 0; scheduler.standing().degraded; i++) {
    if (i > 200) throw new Error(`still degraded: ${scheduler.standing().reason}`)
    await delay(10)
  }
}
