import { isDeepStrictEqual } from 'node:util'
import type { Decision, Lease, Mode, Permit, Scheduler } from '@ostler/core'

/** The calls of a scheduler that a tape keeps. */
const CALLS: ReadonlySet<string> = new Set([
  'admit',
  'peek',
  'refund',
  'usage',
  'renew',
  'release',
  'pick',
  'explain',
  'report',
  'health',
  'exclude',
  'restore',
])
const FLEET_CALLS: ReadonlySet<string> = new Set(['upsert', 'remove', 'drain'])

/** One call at an instant, and what it came to. */
interface Line {
  readonly atMs: number
  readonly call: string
  readonly args: readonly unknown[]
  readonly answer: unknown
  /** The answer as it is compared. */
  readonly text: string
}

/** Leases, decisions and permits that calls give and take: each scheduler has its own. */
type Token = Lease | Decision | Permit

/**
 * What a script did to a scheduler, call by call, so that the same can be done to another one on another store, and each answer be compared.
 * Ids of leases and permits differ between schedulers, and versions between stores: they are left out; what goes back in (a lease, a
 * decision, a permit) is the other scheduler's own.
 */
export class Tape {
  readonly lines: Line[] = []

  /** A scheduler that does what the given one does, and is written down. */
  recording(scheduler: Scheduler<'sync'>, nowMs: () => number): Scheduler<'sync'> {
    const write = (target: object, call: string): unknown => {
      const method = (target as Record<string, (...args: unknown[]) => unknown>)[call]
      return (...args: unknown[]) => {
        const atMs = nowMs()
        const answer = method.apply(target, args)
        this.lines.push({ atMs, call, args, answer, text: textOf(answer) })
        return answer
      }
    }
    const agents = new Proxy(scheduler.agents, {
      get: (target, name) => {
        if (FLEET_CALLS.has(String(name))) return write(target, String(name))
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value
      },
    })
    return new Proxy(scheduler, {
      get: (target, name) => {
        if (name === 'agents') return agents
        if (CALLS.has(String(name))) return write(target, String(name))
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value
      },
    })
  }

  /** Does the same to another scheduler. @throws Error that names the first line whose answer differs */
  async replay(scheduler: Scheduler<Mode>, setMs: (ms: number) => void): Promise<void> {
    const own = new Map<unknown, unknown>()
    for (const [index, { atMs, call, args, answer, text }] of this.lines.entries()) {
      setMs(atMs)
      const target: object = FLEET_CALLS.has(call) ? scheduler.agents : scheduler
      const method = (target as Record<string, (...all: unknown[]) => unknown>)[call]
      const got = await method.apply(
        target,
        args.map((arg) => own.get(arg) ?? arg),
      )
      remember(own, answer, got)
      const actual = textOf(got)
      // Mostly the two are written alike: the order of fields need not be looked at.
      if (actual === text || isDeepStrictEqual(JSON.parse(actual), JSON.parse(text))) continue
      const shown = args.map((arg) => JSON.stringify(arg)).join(', ')
      const line = `line ${index + 1}, at ${atMs}, ${call}(${shown})`
      throw new Error(`${line}\n  expected ${text}\n  got      ${actual}`)
    }
  }
}

function remember(own: Map<unknown, unknown>, theirs: unknown, ours: unknown): void {
  const pairs = [
    [theirs, ours],
    [fieldOf(theirs, 'lease'), fieldOf(ours, 'lease')],
    [fieldOf(theirs, 'permit'), fieldOf(ours, 'permit')],
  ] as readonly (readonly [Token | undefined, Token | undefined])[]
  for (const [token, counterpart] of pairs) {
    if (typeof token === 'object' && token !== null) own.set(token, counterpart)
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined
}

/**
 * An answer without what no two schedulers or stores share: ids that were drawn, versions, and the store's name. What a view is told depends
 * on what it knew: what it then says is compared at every pick.
 */
function textOf(answer: unknown): string {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    return JSON.stringify(answer ?? null)
  }
  const { changes: _, fleetVersion: __, source: ___, ...rest } = answer as Record<string, unknown>
  const { lease, permit, record, deadlineMs, id: ____, ...others } = rest
  return JSON.stringify({
    ...(deadlineMs === undefined ? rest : { ...others, deadlineMs }),
    ...(lease !== undefined && { lease: withoutId(lease) }),
    ...(permit !== undefined && { permit: withoutId(permit) }),
    ...(record !== undefined && { record: withoutProbeId(record) }),
  })
}

function withoutProbeId(record: unknown): unknown {
  if (typeof record !== 'object' || record === null || !('probe' in record)) return record
  return { ...(record as object), probe: withoutId(record.probe) }
}

function withoutId(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { id: _, leaseId: __, ...rest } = value as Record<string, unknown>
  return rest
}
