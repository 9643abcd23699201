import { named, ofKind, type AdmitEvent, type Event, type Violation } from './events.ts'
import type { World } from './world.ts'

/** A permit that was given, and what its holder did with it afterwards. */
interface Held {
  readonly permit: string
  readonly given: AdmitEvent
  /** When its holder began to give it back. */
  releasedUs: number
  /** Each deadline that it had or may have had, and from when on: to be read as "from then on maybe no later than". */
  readonly deadlines: { readonly fromUs: number; readonly knownUs: number; readonly ms: number }[]
}

/** No key holds more permits than its cap: whenever one is given, fewer than the cap are held for certain. */
export function permitViolations(events: readonly Event[], world: World): Violation[] {
  const held = new Map<string, Held>()
  const byKey = new Map<string, Held[]>()
  for (const given of ofKind(events, 'admit')) {
    const { permit, deadlineMs } = given.answer ?? {}
    if (permit === undefined || deadlineMs === undefined || given.answer?.degraded) continue
    const first = { fromUs: given.startUs, knownUs: given.endUs, ms: deadlineMs }
    const one: Held = { permit, given, releasedUs: Infinity, deadlines: [first] }
    held.set(`${given.key} ${permit}`, one)
    byKey.set(given.key, [...(byKey.get(given.key) ?? []), one])
  }
  for (const { key, permit, startUs } of ofKind(events, 'release')) {
    const one = held.get(`${key} ${permit}`)
    if (one !== undefined) one.releasedUs = Math.min(one.releasedUs, startUs)
  }
  for (const { key, permit, startUs, endUs, answer } of ofKind(events, 'renew')) {
    // Without an answer it may have moved the deadline to before all that is known.
    const ms = answer?.deadlineMs ?? 0
    held.get(`${key} ${permit}`)?.deadlines.push({ fromUs: startUs, knownUs: endUs, ms })
  }
  return [...byKey.values()].flatMap((all) => keyViolations(all, world))
}

function keyViolations(all: readonly Held[], world: World): Violation[] {
  const violations: Violation[] = []
  let open: Held[] = []
  for (const next of all) {
    const { given } = next
    const atMs = given.answer?.atMs ?? 0
    const cap = world.tiers[given.tier].permits ?? 0
    // By their beginnings: who is over for this one is over for all that follow.
    open = open.filter((one) => one.releasedUs > given.startUs)
    const others = open.filter((one) => isHeld(one, given, atMs))
    if (others.length >= cap) {
      const holders = others.map((one) => named(one.given)).join(', ')
      const text = `${named(given)} of ${given.key} at ${atMs}, while ${cap} were held: ${holders}`
      violations.push({ law: 'permit-bound', text })
    }
    open.push(next)
  }
  return violations
}

/** Whether it was held all through a call that was decided at an instant. */
function isHeld(one: Held, during: AdmitEvent, atMs: number): boolean {
  if (one.given.endUs > during.startUs || one.releasedUs <= during.endUs) return false
  // The last that was certain before the call counts, and all that may have come since.
  const known = one.deadlines.filter(({ knownUs }) => knownUs <= during.startUs)
  const certain = known.at(-1)
  const maybe = one.deadlines.filter(
    ({ fromUs, knownUs }) => knownUs > during.startUs && fromUs <= during.endUs,
  )
  return certain !== undefined && certain.ms > atMs && maybe.every(({ ms }) => ms > atMs)
}
