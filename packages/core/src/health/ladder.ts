import type { Problem } from '../errors.ts'
import type { HealthPolicy, Rung } from './record.ts'
import { expectInteger, fieldPath, shown, throwIfAny, unknownField } from '../errors.ts'
import { hash32 } from '../random.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/** What an embedder gets who says nothing. */
export const DEFAULT_HEALTH_POLICY: HealthPolicy = Object.freeze({
  ladder: Object.freeze([
    Object.freeze({ health: 'limited', durationMs: 30 * SECOND_MS }),
    Object.freeze({ health: 'limited', durationMs: 2 * MINUTE_MS }),
    Object.freeze({ health: 'unavailable', durationMs: 5 * MINUTE_MS }),
    Object.freeze({ health: 'unavailable', durationMs: 20 * MINUTE_MS }),
    Object.freeze({ health: 'unavailable', durationMs: 60 * MINUTE_MS }),
  ] satisfies Rung[]),
  rateLimitedMs: 30 * SECOND_MS,
  strikeDecayMs: HOUR_MS,
  okStreakToForget: 3,
  jitter: 0.2,
})

/**
 * When an exclusion of `durationMs` that starts now ends: jitter only adds, and comes from what every process knows of the pair,
 * so that a fleet does not come back in one instant, yet all agree when each pair does.
 */
export function excludedUntilMs(
  nowMs: number,
  durationMs: number,
  policy: HealthPolicy,
  exit: string,
  domain: string,
  epoch: number,
): number {
  const share = hash32(domain, hash32(exit, epoch)) / 4294967296
  return nowMs + Math.floor(durationMs * (1 + policy.jitter * share))
}

/** How many of the ladder's rungs are limited: the last limited rung, or 0. */
export function lastLimitedRung(policy: HealthPolicy): number {
  let rung = 0
  while (rung < policy.ladder.length && policy.ladder[rung].health === 'limited') rung++
  return rung
}

/** Fills in the defaults. @throws OstlerError INVALID_OPTIONS, with every problem. */
export function resolveHealthPolicy(options?: Partial<HealthPolicy>): HealthPolicy {
  if (options === undefined) return DEFAULT_HEALTH_POLICY
  throwIfAny('INVALID_OPTIONS', healthPolicyProblems(options, ''))
  return {
    ladder: (options.ladder ?? DEFAULT_HEALTH_POLICY.ladder).map((rung) => ({ ...rung })),
    rateLimitedMs: options.rateLimitedMs ?? DEFAULT_HEALTH_POLICY.rateLimitedMs,
    strikeDecayMs: options.strikeDecayMs ?? DEFAULT_HEALTH_POLICY.strikeDecayMs,
    okStreakToForget: options.okStreakToForget ?? DEFAULT_HEALTH_POLICY.okStreakToForget,
    jitter: options.jitter ?? DEFAULT_HEALTH_POLICY.jitter,
  }
}

const FIELDS = Object.keys(DEFAULT_HEALTH_POLICY)

/** All that is wrong with health options, by path; empty when they may be resolved. */
export function healthPolicyProblems(options: unknown, path: string): Problem[] {
  const problems: Problem[] = []
  const fields = fieldsOf(options, path, problems)
  for (const [name, value] of fields) {
    const at = fieldPath(path, name)
    if (value === undefined) continue
    switch (name) {
      case 'ladder':
        checkLadder(problems, at, value)
        break
      case 'rateLimitedMs':
        expectInteger(problems, at, value, SECOND_MS, HOUR_MS)
        break
      case 'strikeDecayMs':
        expectInteger(problems, at, value, SECOND_MS, 30 * DAY_MS)
        break
      case 'okStreakToForget':
        expectInteger(problems, at, value, 1, 100)
        break
      case 'jitter':
        expectShare(problems, at, value)
        break
      default:
        problems.push({ path, message: unknownField(name, 'a health policy', FIELDS) })
    }
  }
  return problems
}

const MOST_RUNGS = 16
const RUNG_FIELDS: readonly string[] = ['health', 'durationMs']

function checkLadder(problems: Problem[], path: string, ladder: unknown): void {
  if (!Array.isArray(ladder) || ladder.length < 1 || ladder.length > MOST_RUNGS) {
    problems.push({
      path,
      message: `must be an array of 1 to ${MOST_RUNGS} rungs, got ${shown(ladder)}`,
    })
    return
  }
  for (let i = 0; i < ladder.length; i++) checkRung(problems, `${path}[${i}]`, ladder[i])
  for (let i = 1; i < ladder.length; i++) {
    const before = ladder[i - 1] as Partial<Rung> | null
    const rung = ladder[i] as Partial<Rung> | null
    if (before?.health === 'unavailable' && rung?.health === 'limited') {
      problems.push({
        path: `${path}[${i}].health`,
        message: 'must not be limited after unavailable',
      })
    }
    if (Number(rung?.durationMs) < Number(before?.durationMs)) {
      problems.push({
        path: `${path}[${i}].durationMs`,
        message: `must not be below the rung before, got ${shown(rung?.durationMs)}`,
      })
    }
  }
}

function checkRung(problems: Problem[], path: string, rung: unknown): void {
  const before = problems.length
  const fields = new Map(fieldsOf(rung, path, problems))
  if (problems.length > before) return
  const health = fields.get('health')
  if (health !== 'limited' && health !== 'unavailable') {
    problems.push({
      path: `${path}.health`,
      message: `must be limited or unavailable, got ${shown(health)}`,
    })
  }
  expectInteger(problems, `${path}.durationMs`, fields.get('durationMs'), SECOND_MS, 7 * DAY_MS)
  for (const name of fields.keys()) {
    if (RUNG_FIELDS.includes(name)) continue
    problems.push({ path, message: unknownField(name, 'a rung', RUNG_FIELDS) })
  }
}

/** The entries of a plain object; adds a problem for anything else. */
export function fieldsOf(
  value: unknown,
  path: string,
  problems: Problem[],
): readonly (readonly [string, unknown])[] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.entries(value)
  }
  problems.push({ path, message: `must be an object, got ${shown(value)}` })
  return []
}

/** Adds a problem unless `value` is a number from 0 to 1. */
export function expectShare(problems: Problem[], path: string, value: unknown): void {
  if (typeof value === 'number' && value >= 0 && value <= 1) return
  problems.push({ path, message: `must be a number from 0 to 1, got ${shown(value)}` })
}
