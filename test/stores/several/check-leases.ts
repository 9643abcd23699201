import { givenIn, named, ofKind, type Event, type Given, type Violation } from './events.ts'
import type { World } from './world.ts'

/** No agent has more dispatches than `maxConcurrency`, and no pair two probes: whenever a lease is given, none stands against it. */
export function leaseViolations(events: readonly Event[], world: World): Violation[] {
  const reportedUs = new Map<string, number>()
  for (const { lease, startUs } of ofKind(events, 'report')) {
    reportedUs.set(lease, Math.min(reportedUs.get(lease) ?? Infinity, startUs))
  }
  const leases = new Leases(reportedUs)
  const restores = ofKind(events, 'restore')
  const most = new Map(world.agents.map(({ id, maxConcurrency = 1_000 }) => [id, maxConcurrency]))

  const violations: Violation[] = []
  for (const given of givenIn(events)) {
    const { agentId, exit, probe } = given.answer
    const others = leases.certainlyHeld(agentId, given)
    if (others.length >= (most.get(agentId) ?? 0)) {
      const text = `${named(given)} of ${agentId}, which had ${others.map(named).join(', ')}`
      violations.push({ law: 'slots', text })
    }
    leases.add(agentId, given)
    if (!probe) continue
    const pair = `${exit} at ${given.domain}`
    const first = leases.certainlyHeld(pair, given).find((other) => {
      // A pair that was restored in between is another one.
      return !restores.some(
        (restore) =>
          restore.exit === exit &&
          restore.domain === given.domain &&
          (restore.answer !== true || restore.endUs >= other.startUs) &&
          restore.startUs <= given.endUs,
      )
    })
    if (first !== undefined) {
      const text = `${named(given)} probes ${pair}, as ${named(first)} does`
      violations.push({ law: 'probe', text })
    }
    leases.add(pair, given)
  }
  return violations
}

/** Who holds what, as far as it is certain. Asked in the order of the picks' beginnings. */
class Leases {
  readonly #held = new Map<string, Given[]>()
  readonly #reportedUs: ReadonlyMap<string, number>

  constructor(reportedUs: ReadonlyMap<string, number>) {
    this.#reportedUs = reportedUs
  }

  add(name: string, given: Given): void {
    this.#held.set(name, [...(this.#held.get(name) ?? []), given])
  }

  /** Leases that were held all through a pick: given before it, not reported before its end, and not due by then. */
  certainlyHeld(name: string, during: Given): readonly Given[] {
    const open = (this.#held.get(name) ?? []).filter(
      ({ answer }) => this.#endUs(answer.id) > during.startUs && answer.deadlineMs > during.startMs,
    )
    this.#held.set(name, open)
    return open.filter(
      ({ endUs, answer }) =>
        endUs <= during.startUs &&
        this.#endUs(answer.id) > during.endUs &&
        answer.deadlineMs > during.endMs,
    )
  }

  #endUs(lease: string): number {
    return this.#reportedUs.get(lease) ?? Infinity
  }
}
