import {
  expectInteger,
  fieldPath,
  shown,
  throwIfAny,
  unknownField,
  type Problem,
} from '../errors.ts'

/**
 * What a caller writes: at most `limit` cost in any `windowMs`. Exact by default (a log of hits,
 * quantised to `quantumMs`); with `smooth` a GCRA of the same mean rate and that `burst`.
 */
export interface Policy {
  readonly name: string
  /** Cost allowed in a window: an integer from 0 to 2^31-1. 0 refuses all. */
  readonly limit: number
  /** An integer from 1 to 31 days, in milliseconds. */
  readonly windowMs: number
  /**
   * Hits are counted at the end of their quantum. Default 1 where limit <= 256, else ceil(windowMs
   * / 256).
   */
  readonly quantumMs?: number
  /**
   * Opt-in GCRA: `burst` cost at once, then one per windowMs / limit. Bound: burst + limit in any
   * window.
   */
  readonly smooth?: { readonly burst: number }
}

/** A policy as stores receive it: checked, and with every default filled in. */
export type ResolvedPolicy =
  | {
      readonly kind: 'exact'
      readonly name: string
      readonly limit: number
      readonly windowMs: number
      readonly quantumMs: number
    }
  | {
      readonly kind: 'smooth'
      readonly name: string
      readonly limit: number
      readonly windowMs: number
      readonly burst: number
    }

export type ExactPolicy = Extract<ResolvedPolicy, { readonly kind: 'exact' }>
export type SmoothPolicy = Extract<ResolvedPolicy, { readonly kind: 'smooth' }>

/**
 * The largest limit, cost and burst: 2^31-1, and what a tier without policies reports as its limit.
 */
export const MAX_LIMIT = 2_147_483_647
/** 31 days. */
const MAX_WINDOW_MS: number = 31 * 86_400_000
/**
 * 16 days: with the longest window it still fits the 32-bit offsets that the memory store keeps.
 */
const MAX_QUANTUM_MS: number = 16 * 86_400_000
/** The most entries that one key's log may need. */
export const MAX_LOG_ENTRIES = 4096
/** The most policies in one tier: each costs a look-up per request. */
const MAX_POLICIES = 16
/** Above this limit hits are quantised by default, and kept as counts. */
export const UNIT_LIMIT = 256

const NAME = /^[A-Za-z0-9._:-]{1,64}$/
const RESERVED: readonly string[] = ['permits', 'none']
const FIELDS: readonly string[] = ['name', 'limit', 'windowMs', 'quantumMs', 'smooth']

/** Checks a policy and fills in its defaults. @throws OstlerError INVALID_POLICY, with every problem by its path. */
export function resolvePolicy(policy: Policy): ResolvedPolicy {
  throwIfAny('INVALID_POLICY', policyProblems(policy, ''))
  const { name, limit, windowMs, quantumMs, smooth } = policy
  if (smooth !== undefined) return { kind: 'smooth', name, limit, windowMs, burst: smooth.burst }
  return {
    kind: 'exact',
    name,
    limit,
    windowMs,
    quantumMs: quantumMs ?? quantumFor(limit, windowMs),
  }
}

/**
 * The default quantum, in ms: exact to the millisecond for small limits, 1/256 of the window above.
 */
function quantumFor(limit: number, windowMs: number): number {
  return limit <= UNIT_LIMIT ? 1 : Math.ceil(windowMs / 256)
}

/**
 * The most entries that a log can hold: one per cost, and one per quantum that can still count.
 * Effective times that count at `now` lie in (now - windowMs, now + quantumMs - 1], one every
 * `quantumMs`.
 */
export function logEntries(limit: number, windowMs: number, quantumMs: number): number {
  return Math.min(limit, Math.floor((windowMs + quantumMs - 2) / quantumMs) + 1)
}

/** All that is wrong with a tier's list of policies: each one, how many, and names that repeat. */
export function policiesProblems(policies: unknown, path: string): Problem[] {
  if (!Array.isArray(policies)) {
    return [{ path, message: `must be an array of policies, got ${shown(policies)}` }]
  }
  if (policies.length > MAX_POLICIES) {
    const message = `must hold at most ${MAX_POLICIES} policies, got ${policies.length}`
    return [{ path, message }]
  }
  const problems: Problem[] = []
  const names = new Set<unknown>()
  for (const [index, policy] of (policies as readonly unknown[]).entries()) {
    const own = policyProblems(policy, `${path}[${index}]`)
    problems.push(...own)
    if (!isRecord(policy) || typeof policy['name'] !== 'string') continue
    const name = policy['name']
    if (names.has(name)) {
      const message = `must differ from the other policies' names, got ${shown(name)}`
      problems.push({ path: `${path}[${index}].name`, message })
    }
    names.add(name)
  }
  return problems
}

/**
 * All that is wrong with a policy, each by its path under `path`; empty where it can be resolved.
 */
export function policyProblems(policy: unknown, path: string): Problem[] {
  if (!isRecord(policy)) return [{ path, message: `must be a policy object, got ${shown(policy)}` }]
  const problems: Problem[] = []
  unknownFields(problems, path, policy, 'a policy', FIELDS)
  nameProblem(problems, fieldPath(path, 'name'), policy['name'])
  expectInteger(problems, fieldPath(path, 'limit'), policy['limit'], 0, MAX_LIMIT)
  expectInteger(problems, fieldPath(path, 'windowMs'), policy['windowMs'], 1, MAX_WINDOW_MS)
  const sound = problems.length === 0
  if (policy['smooth'] !== undefined) smoothProblems(problems, path, policy, sound)
  else quantumProblems(problems, path, policy, sound)
  return problems
}

function nameProblem(problems: Problem[], path: string, name: unknown): void {
  if (typeof name !== 'string' || !NAME.test(name)) {
    const message = `must be 1 to 64 characters of A-Z a-z 0-9 . _ : -, got ${shown(name)}`
    problems.push({ path, message })
  } else if (RESERVED.includes(name)) {
    problems.push({
      path,
      message: `must not be the reserved "permits" or "none", got ${shown(name)}`,
    })
  }
}

function quantumProblems(
  problems: Problem[],
  path: string,
  policy: Readonly<Record<string, unknown>>,
  sound: boolean,
): void {
  const windowMs = sound ? (policy['windowMs'] as number) : MAX_WINDOW_MS
  const quantumMs = policy['quantumMs']
  if (quantumMs === undefined) return
  const before = problems.length
  const most = Math.min(windowMs, MAX_QUANTUM_MS)
  expectInteger(problems, fieldPath(path, 'quantumMs'), quantumMs, 1, most)
  if (!sound || problems.length > before) return
  const entries = logEntries(policy['limit'] as number, windowMs, quantumMs as number)
  if (entries <= MAX_LOG_ENTRIES) return
  const least = leastQuantum(windowMs)
  const why = `a key may need at most ${MAX_LOG_ENTRIES} log entries`
  const message = `must be at least ${least} (${why}), got ${shown(quantumMs)} (${entries} entries)`
  problems.push({ path: fieldPath(path, 'quantumMs'), message })
}

/** The least quantum whose log fits MAX_LOG_ENTRIES: floor((w + q - 2) / q) + 1 <= 4096. */
function leastQuantum(windowMs: number): number {
  return Math.max(1, Math.ceil((windowMs - 1) / (MAX_LOG_ENTRIES - 1)))
}

function smoothProblems(
  problems: Problem[],
  path: string,
  policy: Readonly<Record<string, unknown>>,
  sound: boolean,
): void {
  const smooth = policy['smooth']
  if (policy['quantumMs'] !== undefined) {
    const message = `must be absent where smooth is given, got ${shown(policy['quantumMs'])}`
    problems.push({ path: fieldPath(path, 'quantumMs'), message })
  }
  if (!isRecord(smooth)) {
    const message = `must be an object with a burst, got ${shown(smooth)}`
    problems.push({ path: fieldPath(path, 'smooth'), message })
    return
  }
  unknownFields(problems, fieldPath(path, 'smooth'), smooth, 'smooth', ['burst'])
  const before = problems.length
  expectInteger(problems, fieldPath(path, 'smooth.burst'), smooth['burst'], 1, MAX_LIMIT)
  if (!sound) return
  const limit = policy['limit'] as number
  if (limit < 1) {
    problems.push({
      path: fieldPath(path, 'limit'),
      message: `must be at least 1 with smooth, got ${limit}`,
    })
  }
  if (problems.length > before) return
  const burst = smooth['burst'] as number
  const most = Math.floor((Number.MAX_SAFE_INTEGER - limit) / (policy['windowMs'] as number))
  if (burst <= most) return
  const why = 'with this windowMs (its arithmetic is exact)'
  const message = `must be at most ${most} ${why}, got ${burst}`
  problems.push({ path: fieldPath(path, 'smooth.burst'), message })
}

function unknownFields(
  problems: Problem[],
  path: string,
  value: Readonly<Record<string, unknown>>,
  of: string,
  known: readonly string[],
): void {
  for (const field of Object.keys(value)) {
    if (!known.includes(field)) problems.push({ path, message: unknownField(field, of, known) })
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
