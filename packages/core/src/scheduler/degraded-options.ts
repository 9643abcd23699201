import { expectInteger, fieldPath, shown, unknownField, type Problem } from '../errors.ts'

/** What to do while the store is out of reach. Memory never is. */
export interface DegradedOptions {
  /**
   * `local` (default): each limit's share of this process, counted here. `deny`: no call is admitted. `allow`: every call is.
   */
  readonly limits?: 'local' | 'deny' | 'allow'
  /** `view` (default): the last known exclusions and what is reported meanwhile. `refuse`: picks, reports, and exclusions by hand throw STORE_UNAVAILABLE. */
  readonly picks?: 'view' | 'refuse'
  /**
   * Processes that share the store, 1 to 10,000: the share of each is limit / instances, and never less than 1, so that a small limit does not
   * turn the store's outage into one of its own. Default 1.
   */
  readonly instances?: number
  /** What the store is owed on its return (slots and permits to free, fleets to change), 0 to 1,000,000. Default 10,000. */
  readonly maxOwed?: number
}

export type ResolvedDegraded = Required<DegradedOptions>

const CHOICES = { limits: ['local', 'deny', 'allow'], picks: ['view', 'refuse'] } as const
const FIELDS: readonly string[] = ['limits', 'picks', 'instances', 'maxOwed']

export function resolveDegraded(options: DegradedOptions = {}): ResolvedDegraded {
  const { limits = 'local', picks = 'view', instances = 1, maxOwed = 10_000 } = options
  return { limits, picks, instances, maxOwed }
}

/** All that is wrong with the options, by path. */
export function degradedProblems(options: unknown, path: string): Problem[] {
  if (options === undefined) return []
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return [{ path, message: `must be an object, got ${shown(options)}` }]
  }
  const problems: Problem[] = []
  for (const [name, value] of Object.entries(options)) {
    const at = fieldPath(path, name)
    if (!FIELDS.includes(name)) {
      problems.push({ path, message: unknownField(name, "a scheduler's `degraded`", FIELDS) })
    } else if (value === undefined) continue
    else if (name === 'instances') expectInteger(problems, at, value, 1, 10_000)
    else if (name === 'maxOwed') expectInteger(problems, at, value, 0, 1_000_000)
    else {
      const choices: readonly unknown[] = CHOICES[name as keyof typeof CHOICES]
      if (choices.includes(value)) continue
      const message = `must be one of ${choices.join(', ')}, got ${shown(value)}`
      problems.push({ path: at, message })
    }
  }
  return problems
}
