import { OstlerError, type Agent, type Problem, type Scheduler } from '@ostler/core'

/**
 * What is known of a fleet at an instant, so that one can ask what would be picked if it were so.
 * As JSON: `{ "nowMs": 1767603600000, "exclusions": [{ "agent": "de1", "domain": "shop.example",
 * "untilMs": 1767604500000 }], "drained": ["de2"] }`. `exit` (the address that targets see) may
 * stand for `agent`, `*` for any domain, and `forMs` from now for `untilMs`.
 */
export interface State {
  /** The instant that is asked about; default: now. */
  readonly nowMs?: number
  readonly exclusions: readonly StateExclusion[]
  readonly drained: readonly string[]
}

export interface StateExclusion {
  readonly agent?: string
  readonly exit?: string
  readonly domain: string
  readonly untilMs?: number
  readonly forMs?: number
}

type Fields = Readonly<Record<string, unknown>>

const MOST_EXCLUSIONS = 1_000_000
const MOST_MS = 8_640_000_000_000_000

/**
 * Checks a state that was read from JSON. @throws OstlerError INVALID_OPTIONS that lists every
 * problem, by path.
 */
export function parseState(value: unknown, what: string): State {
  const problems: Problem[] = []
  const fail = (path: string, message: string): void => void problems.push({ path, message })
  if (!isFields(value)) {
    fail('', 'must be an object { nowMs?, exclusions?, drained? }')
    throwProblems(what, problems)
  }
  const { nowMs, exclusions = [], drained = [], ...others } = value as Fields
  for (const name of Object.keys(others)) {
    fail(name, 'is unknown; known are nowMs, exclusions, drained')
  }
  if (nowMs !== undefined && !isMs(nowMs, 1)) fail('nowMs', 'must be ms since the epoch, 1 or more')
  if (!Array.isArray(exclusions) || exclusions.length > MOST_EXCLUSIONS) {
    fail('exclusions', `must be an array of at most ${MOST_EXCLUSIONS}`)
  } else exclusions.forEach((one, i) => checkExclusion(one, `exclusions[${i}]`, fail))
  if (!Array.isArray(drained) || drained.some((id) => typeof id !== 'string')) {
    fail('drained', 'must be an array of agent ids')
  }
  throwProblems(what, problems)
  return { ...(value as State), exclusions, drained } as State
}

function checkExclusion(
  value: unknown,
  path: string,
  fail: (path: string, message: string) => void,
): void {
  if (!isFields(value)) return fail(path, 'must be an object')
  const { agent, exit, domain, untilMs, forMs, ...others } = value
  for (const name of Object.keys(others)) {
    fail(`${path}.${name}`, 'is unknown; known are agent, exit, domain, untilMs, forMs')
  }
  if ((typeof agent === 'string') === (typeof exit === 'string')) {
    fail(path, 'must name either agent or exit')
  }
  if (typeof domain !== 'string' || domain === '') fail(`${path}.domain`, 'must be a domain or *')
  if ((untilMs === undefined) === (forMs === undefined)) {
    fail(path, 'must have either untilMs or forMs')
  } else if (!isMs(untilMs ?? forMs, 0)) {
    fail(untilMs === undefined ? `${path}.forMs` : `${path}.untilMs`, 'must be whole ms, 0 or more')
  }
}

/**
 * Brings a scheduler into a state. Exclusions of the past are passed over, as they are over.
 * @throws OstlerError UNKNOWN_AGENT that lists every agent and exit that the fleet does not have.
 */
export function applyState(
  scheduler: Scheduler<'sync'>,
  agents: readonly Agent[],
  state: State,
  nowMs: number,
  what: string,
): void {
  const ofExit = new Map(agents.map((agent) => [agent.exitIp ?? agent.id, agent.id]))
  const known = new Set(agents.map((agent) => agent.id))
  const problems: Problem[] = []
  const ids = state.exclusions.map(({ agent, exit }, i) => {
    const id = agent ?? ofExit.get(exit!)
    if (id !== undefined && known.has(id)) return id
    const name = agent === undefined ? 'exit' : 'agent'
    problems.push({
      path: `exclusions[${i}].${name}`,
      message: `is not in the fleet: ${JSON.stringify(agent ?? exit)}`,
    })
    return ''
  })
  state.drained.forEach((id, i) => {
    if (known.has(id)) return
    problems.push({ path: `drained[${i}]`, message: `is not in the fleet: ${JSON.stringify(id)}` })
  })
  if (problems.length > 0) throwProblems(what, problems, 'UNKNOWN_AGENT')
  scheduler.agents.drain(state.drained)
  state.exclusions.forEach(({ domain, untilMs, forMs }, i) => {
    const endMs = untilMs ?? nowMs + forMs!
    if (endMs > nowMs) scheduler.exclude(ids[i], domain, endMs)
  })
}

function throwProblems(
  what: string,
  problems: readonly Problem[],
  code: 'INVALID_OPTIONS' | 'UNKNOWN_AGENT' = 'INVALID_OPTIONS',
): void {
  if (problems.length === 0) return
  const lines = problems.map(({ path, message }) => (path === '' ? message : `${path} ${message}`))
  throw new OstlerError(code, `${what}: ${lines.join('; ')}`, { problems })
}

function isMs(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= MOST_MS
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
