import { readFileSync } from 'node:fs'

/**
 * A call of some worker, between two instants: it was decided somewhere in between. `us` is of the monotonic clock that the processes
 * of a host share, `ms` of its wall clock, by which the stores decide. A call whose end nobody saw ends at Infinity, without an answer.
 */
export interface Call {
  readonly worker: string
  readonly op: number
  readonly startUs: number
  readonly startMs: number
  readonly endUs: number
  readonly endMs: number
  readonly error?: string
}

export interface AdmitEvent extends Call {
  readonly kind: 'admit'
  readonly key: string
  readonly tier: string
  readonly cost: number
  readonly opId?: string
  readonly answer?: {
    readonly allowed: boolean
    readonly atMs: number
    readonly degraded: boolean
    readonly permit?: string
    readonly deadlineMs?: number
  }
}

export interface RenewEvent extends Call {
  readonly kind: 'renew'
  readonly key: string
  readonly permit: string
  /** Null: not held any more. */
  readonly answer?: { readonly deadlineMs: number } | null
}

export interface ReleaseEvent extends Call {
  readonly kind: 'release'
  readonly key: string
  readonly permit: string
  readonly answer?: boolean
}

export interface PickEvent extends Call {
  readonly kind: 'pick'
  readonly domain: string
  readonly answer?:
    | {
        readonly kind: 'picked'
        readonly id: string
        readonly agentId: string
        readonly exit: string
        readonly epoch: number
        readonly deadlineMs: number
        readonly probe: boolean
      }
    | { readonly kind: 'exhausted'; readonly cause: string }
}

export interface ReportEvent extends Call {
  readonly kind: 'report'
  readonly lease: string
  readonly exit: string
  readonly domain: string
  /** The lease's, both. */
  readonly epoch: number
  readonly probe: boolean
  readonly outcome: string
  readonly answer?: {
    readonly kind: 'applied' | 'stale'
    readonly changed: boolean
    readonly record: {
      readonly health: 'available' | 'limited' | 'unavailable'
      readonly untilMs: number
      readonly epoch: number
      readonly strikes: number
    } | null
  }
}

/** Whether an order by hand holds for all from its end on. Otherwise it holds for them some time later, or never. */
type InForce = boolean

export interface ExcludeEvent extends Call {
  readonly kind: 'exclude'
  readonly exit: string
  readonly domain: string
  readonly untilMs: number
  readonly answer?: InForce
}

export interface RestoreEvent extends Call {
  readonly kind: 'restore'
  readonly exit: string
  readonly domain: string
  readonly answer?: InForce
}

interface UpsertEvent extends Call {
  readonly kind: 'upsert'
  readonly answer?: true
}

export type Event =
  | AdmitEvent
  | RenewEvent
  | ReleaseEvent
  | PickEvent
  | ReportEvent
  | ExcludeEvent
  | RestoreEvent
  | UpsertEvent

export type EventOf<K extends Event['kind']> = Extract<Event, { readonly kind: K }>

/** A lease that somebody was given, and the pick that gave it. */
export type Given = PickEvent & {
  readonly answer: Extract<PickEvent['answer'], { readonly kind: 'picked' }>
}

/** Something that the logs prove and that must not be. */
export interface Violation {
  /** As in docs/semantics.md. */
  readonly law: string
  readonly text: string
}

/** The calls of all workers, by their beginnings. */
export function readLogs(files: readonly string[]): Event[] {
  const events = files.flatMap((file, index) => readLog(file, `w${index}`))
  return events.sort((a, b) => a.startUs - b.startUs)
}

export function ofKind<K extends Event['kind']>(
  events: readonly Event[],
  kind: K,
): readonly EventOf<K>[] {
  return events.filter((event): event is EventOf<K> => event.kind === kind)
}

export function givenIn(events: readonly Event[]): readonly Given[] {
  return ofKind(events, 'pick').filter((pick): pick is Given => pick.answer?.kind === 'picked')
}

/** Names a call, so that it can be found in its log. */
export function named({ worker, op, kind }: Event): string {
  return `${worker}#${op} ${kind}`
}

interface Line {
  readonly op: number
  readonly kind?: Event['kind']
  readonly us: number
  readonly ms: number
}

/** Two lines a call: the first says what was asked, the second what came of it. */
function readLog(file: string, worker: string): Event[] {
  const calls = new Map<number, object>()
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    // What a killed worker was writing may end early.
    if (!text.endsWith('}')) continue
    const { us, ms, ...rest } = JSON.parse(text) as Line
    if (rest.kind !== undefined) {
      calls.set(rest.op, { worker, ...rest, startUs: us, startMs: ms, ...NEVER })
    } else Object.assign(calls.get(rest.op) ?? {}, rest, { endUs: us, endMs: ms })
  }
  return [...calls.values()] as Event[]
}

const NEVER = { endUs: Infinity, endMs: Infinity }
