import { OstlerError, type Problem } from '@ostler/core'
import { integer, list, number, object, oneOf, record, text, throwProblems } from './check.ts'
import type { Scenario } from './scenario.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const MOST_AGENTS = 1_000_000
const MOST_BYTES = 1_000_000

const NAME = text(/^[a-z][a-z0-9-]{0,31}$/, 'a name of 1 to 32 letters (a-z), digits and hyphens')
const SHARE = number(0, 1)
const WEIGHT = number(0, 1e9)
const PERIOD = integer(1_000, 7 * DAY_MS)

const FLEET = object(
  {
    name: NAME,
    agents: integer(1, MOST_AGENTS),
    cities: integer(1, 200_000),
    networks: (problems, path, value) => {
      const worldwide = typeof value === 'object' && value !== null && 'worldwide' in value
      const field = worldwide ? 'worldwide' : 'perCountry'
      object({ [field]: integer(1, 1_000) })(problems, path, value)
    },
    sharedExits: object({ share: SHARE, agentsPerExit: integer(2, 10_000) }),
    offline: object({ share: SHARE, periodMs: PERIOD }),
    maxConcurrency: integer(1, 65_535),
  },
  ['cities', 'sharedExits', 'offline', 'maxConcurrency'],
)

const RATE = object({
  limit: integer(1, 1_000_000),
  windowMs: PERIOD,
  answer: oneOf('rate_limited', 'challenge', 'block'),
  holdMs: PERIOD,
  knocks: oneOf('free', 'count', 'restart'),
})

const KIND = object(
  {
    name: NAME,
    weight: WEIGHT,
    serverMs: integer(1, 60_000),
    missingShare: SHARE,
    errorShare: SHARE,
    flakyShare: SHARE,
    rate: RATE,
    wary: object({ share: SHARE, periodMs: PERIOD }),
    bans: object({ fleets: list(NAME, 0, 16), networkShare: SHARE, countryShare: SHARE }, [
      'countryShare',
    ]),
    outages: object({ perHour: number(0, 60), lengthMs: integer(1_000, DAY_MS) }),
  },
  ['missingShare', 'errorShare', 'flakyShare', 'rate', 'wary', 'bans', 'outages'],
)

const POLICY = object(
  {
    name: text(/^.{1,64}$/, 'a name of 1 to 64 characters'),
    limit: integer(0, 2 ** 31 - 1),
    windowMs: integer(1, 31 * DAY_MS),
    quantumMs: integer(1, 31 * DAY_MS),
    smooth: object({ burst: integer(1, 2 ** 31 - 1) }),
  },
  ['quantumMs', 'smooth'],
)

const CLIENTS = object({
  count: integer(1, 100_000),
  zipf: number(0, 5),
  tiers: record(
    /^[a-z][a-z0-9-]{0,31}$/,
    'with a-z, 0-9 and hyphens',
    object({ weight: WEIGHT, policies: list(POLICY, 0, 8) }),
    32,
  ),
  markets: record(/^[A-Z]{2}$/, 'by an ISO 3166-1 code such as DE', WEIGHT, 250),
  hints: object({ none: WEIGHT, soft: WEIGHT, strict: WEIGHT, point: WEIGHT }),
})

const SCENARIO = object({
  format: oneOf('ostler-scenario/1'),
  name: NAME,
  seed: integer(0, 2 ** 32 - 1),
  durationMs: integer(1_000, 7 * DAY_MS),
  requests: integer(1, 20_000_000),
  fleets: list(FLEET, 1, 16),
  domains: object({ count: integer(1, 100_000), zipf: number(0, 5), kinds: list(KIND, 1, 32) }),
  clients: CLIENTS,
})

/**
 * Checks a scenario that was read from JSON.
 * @throws OstlerError INVALID_OPTIONS that lists every problem, by path.
 */
export function parseScenario(value: unknown, what = 'scenario'): Scenario {
  const problems: Problem[] = []
  SCENARIO(problems, '', value)
  if (problems.length === 0) checkTogether(problems, value as Scenario)
  throwProblems(what, problems)
  return value as Scenario
}

/**
 * Reads a scenario's text, at most 1,000,000 characters.
 * @throws OstlerError INVALID_OPTIONS when it is not JSON, or not a scenario.
 */
export function parseScenarioText(json: string, what = 'scenario'): Scenario {
  const fail = (message: string, cause?: unknown): never => {
    throw new OstlerError('INVALID_OPTIONS', `${what}: ${message}`, { cause })
  }
  if (json.length > MOST_BYTES) {
    fail(`must have at most ${MOST_BYTES} characters, has ${json.length}`)
  }
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    fail(`is not JSON (${(error as Error).message})`, error)
  }
  return parseScenario(value, what)
}

/**
 * What no single field shows: weights that are all 0, names given twice, fleets that do not exist.
 */
function checkTogether(problems: Problem[], scenario: Scenario): void {
  const { fleets, domains, clients } = scenario
  const agents = fleets.reduce((sum, fleet) => sum + fleet.agents, 0)
  if (agents > MOST_AGENTS) {
    problems.push({
      path: 'fleets',
      message: `must have at most ${MOST_AGENTS} agents in all, got ${agents}`,
    })
  }
  distinct(problems, 'fleets', fleets)
  distinct(problems, 'domains.kinds', domains.kinds)
  someWeight(
    problems,
    'domains.kinds',
    domains.kinds.map((kind) => kind.weight),
  )
  someWeight(problems, 'clients.markets', Object.values(clients.markets))
  someWeight(problems, 'clients.hints', Object.values(clients.hints))
  someWeight(
    problems,
    'clients.tiers',
    Object.values(clients.tiers).map((tier) => tier.weight),
  )
  const names = fleets.map((fleet) => fleet.name)
  domains.kinds.forEach((kind, i) => {
    for (const name of kind.bans?.fleets ?? []) {
      if (names.includes(name)) continue
      const path = `domains.kinds[${i}].bans.fleets`
      problems.push({ path, message: `must name fleets (${names.join(', ')}), got "${name}"` })
    }
  })
}

function someWeight(problems: Problem[], path: string, weights: readonly number[]): void {
  if (weights.some((weight) => weight > 0)) return
  problems.push({ path, message: 'must have a weight above 0, got none' })
}

function distinct(
  problems: Problem[],
  path: string,
  named: readonly { readonly name: string }[],
): void {
  const seen = new Set<string>()
  named.forEach(({ name }, i) => {
    if (seen.has(name)) {
      problems.push({ path: `${path}[${i}].name`, message: `must be unique, got "${name}" again` })
    }
    seen.add(name)
  })
}
