import { givenIn, named, ofKind } from './events.ts'
import type { Event, ExcludeEvent, Given, ReportEvent, RestoreEvent, Violation } from './events.ts'

type ByHand = ExcludeEvent | RestoreEvent

/** A report that was told of an exclusion. Its `untilMs` is the earliest end: nothing but a restore shortens it. */
interface Told {
  readonly by: ReportEvent
  readonly untilMs: number
}

/**
 * No pick that began after a report's answer, or after `exclude` had returned, gives the exit before the exclusion ends. A pick is
 * decided before its end, so one whose end is before `untilMs` was decided before it as well; others prove nothing.
 */
export function exclusionViolations(events: readonly Event[]): Violation[] {
  const told = grouped(ofKind(events, 'report').flatMap(toldBy), ({ by }) => pairOf(by))
  const byHand = grouped(
    events.filter((event): event is ByHand => event.kind === 'exclude' || event.kind === 'restore'),
    pairOf,
  )
  const violations: Violation[] = []
  for (const given of givenIn(events)) {
    const pair = { exit: given.answer.exit, domain: given.domain }
    const orders = byHand.get(pairOf(pair)) ?? []
    const against =
      reportAgainst(given, told.get(pairOf(pair)) ?? [], orders) ??
      orderAgainst(given, orders) ??
      orderAgainst(given, byHand.get(pairOf({ ...pair, domain: '*' })) ?? [])
    if (against === null) continue
    const { by, untilMs } = against
    const gave = `${named(given)} gave ${pairOf(pair)} by ${given.endMs}`
    violations.push({
      law: 'exclusion',
      text: `${gave}, which ${named(by)} excludes to ${untilMs}`,
    })
  }
  return violations
}

function pairOf({ exit, domain }: { readonly exit: string; readonly domain: string }): string {
  return `${exit} at ${domain}`
}

function grouped<T>(items: readonly T[], nameOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const name = nameOf(item)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [item])
    else group.push(item)
  }
  return groups
}

/** Also a report that changed nothing shows the exclusion that it found. */
function toldBy(by: ReportEvent): Told[] {
  const record = by.answer?.record
  if (record === undefined || record === null || record.health === 'available') return []
  return record.untilMs > by.startMs ? [{ by, untilMs: record.untilMs }] : []
}

function reportAgainst(
  given: Given,
  told: readonly Told[],
  orders: readonly ByHand[],
): { readonly by: Event; readonly untilMs: number } | null {
  const restores = orders.filter(({ kind }) => kind === 'restore')
  for (const one of told) {
    if (one.by.endUs > given.startUs || given.endMs >= one.untilMs) continue
    const lifted = restores.some(
      (restore) => doneUs(restore) >= one.by.startUs && restore.startUs <= given.endUs,
    )
    if (!lifted) return one
  }
  return null
}

/** Of what was ordered by hand the newest counts. Several may be it, as far as anybody knows: all of them must exclude. */
function orderAgainst(
  given: Given,
  orders: readonly ByHand[],
): { readonly by: Event; readonly untilMs: number } | null {
  const begun = orders.filter(({ startUs }) => startUs <= given.endUs)
  const over = begun.filter((order) => doneUs(order) <= given.startUs)
  const lastStartUs = Math.max(...over.map(({ startUs }) => startUs))
  // What was done before another that is done began, that one has replaced.
  const newest = begun.filter((order) => doneUs(order) >= lastStartUs)
  const excludes = newest.filter((order) => order.kind === 'exclude')
  if (over.length === 0 || excludes.length < newest.length) return null
  const untilMs = Math.min(...excludes.map((order) => order.untilMs))
  return given.endMs < untilMs ? { by: excludes[0], untilMs } : null
}

/** When an order had reached the store: Infinity where that is not known. */
function doneUs({ endUs, answer }: ByHand): number {
  return answer === true ? endUs : Infinity
}
