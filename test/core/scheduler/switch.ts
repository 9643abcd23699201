import { setTimeout as delay } from 'node:timers/promises'
import { OstlerError, type Gate, type Mode, type Scheduler, type Store } from '@ostler/core'

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
      else if (name === 'gate') {
        const gates = value as Required<Store>['gate']
        gated[name] = (policies: Parameters<typeof gates>[0]) => switched(gates(policies), gate)
      } else {
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

/** A gate of which each call asks `check` first. */
function switched(gate: Gate, check: () => void): Gate {
  return new Proxy(gate, {
    get(inner, name) {
      const value: unknown = Reflect.get(inner, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        check()
        return value.apply(inner, args)
      }
    },
    set: (inner, name, value) => Reflect.set(inner, name, value),
  })
}

/** The scheduler has noticed that its store is back, and has told it everything. */
export async function recovered(scheduler: Scheduler<Mode>): Promise<void> {
  for (let i = 0; scheduler.standing().degraded; i++) {
    if (i > 200) throw new Error(`still degraded: ${scheduler.standing().reason}`)
    await delay(10)
  }
}
