import {
  expectInteger,
  OstlerError,
  shown,
  throwIfAny,
  unknownField,
  type Problem,
} from '../errors.ts'
import { isCountry } from '../geo/places.ts'
import { keyProblem } from '../limit/key.ts'
import { AGENT_FIELDS, Placed, type Agent, type StoredAgent } from '../pick/agent.ts'
import type { Mode, Result, Store } from '../store/store.ts'
import type { Roster } from './roster.ts'
import { andThen } from './and-then.ts'
import type { Time } from './time.ts'

const REGION = /^[A-Z]{2}-[A-Z0-9]{1,3}$/
const MAX_TAGS = 64
const MAX_PORTION = 100_000
const MAX_TEXT = 256
const MAX_URL = 2048
const MOST_PROBLEMS = 100
const KNOWN: ReadonlySet<string> = new Set(AGENT_FIELDS)

/** The fleet, as embedders change it: `scheduler.agents`. */
export class Agents<M extends Mode> {
  readonly #store: Store<M>
  readonly #roster: Roster
  readonly #time: Time

  constructor(store: Store<M>, roster: Roster, time: Time) {
    this.#store = store
    this.#roster = roster
    this.#time = time
  }

  /** Agents in the fleet, drained ones among them. */
  get size(): number {
    return this.#roster.fleet.size
  }

  /** An agent by its id, as it was put. */
  get(id: string): (Agent & { readonly drained?: true }) | undefined {
    const agent = typeof id === 'string' ? this.#roster.fleet.find(id) : -1
    return agent === -1 ? undefined : (this.#roster.fleet.agents.get(agent) as StoredAgent)
  }

  /** All agents, in fleet order. */
  values(): Generator<Agent & { readonly drained?: true }> {
    return this.#roster.fleet.values()
  }

  /**
   * Adds agents, or replaces those of the same id (their dispatches go on; a drained one is picked again): all or none.
   * O(agents * log n): 2 to 5 us each in a fleet of a million; {@link upsertInPortions} leaves room for other work.
   * @throws OstlerError INVALID_AGENT with every problem by its path, FLEET_FULL
   */
  upsert(agents: readonly Agent[]): Result<M, void> {
    if (!Array.isArray(agents)) {
      throw new OstlerError(
        'INVALID_AGENT',
        `upsert takes an array of agents, got ${shown(agents)}`,
      )
    }
    const problems: Problem[] = []
    const copies: StoredAgent[] = []
    for (let i = 0; i < agents.length && problems.length < MOST_PROBLEMS; i++) {
      copies.push(checkedCopy(problems, i, agents[i]))
    }
    throwIfAny('INVALID_AGENT', problems)
    return this.#put(() => copies)
  }

  /**
   * Upserts many agents a portion at a time, each portion all or none, and tells after each how many are done. What happens in between
   * is the caller's to say: `for await (const done of agents.upsertInPortions(many)) await setImmediate()` lets the event loop run.
   * @param portion agents a portion, 1 to 100,000. Default 1,000: a pause of a few milliseconds in a fleet of a million.
   * @throws OstlerError as `upsert`; the portions before stay
   */
  async *upsertInPortions(agents: readonly Agent[], portion = 1_000): AsyncGenerator<number> {
    const problems: Problem[] = []
    expectInteger(problems, 'portion', portion, 1, MAX_PORTION)
    if (!Array.isArray(agents)) {
      const message = `must be an array of agents, got ${shown(agents)}`
      problems.push({ path: 'agents', message })
    }
    throwIfAny('INVALID_REQUEST', problems)
    for (let done = 0; done < agents.length;) {
      await this.upsert(agents.slice(done, done + portion))
      done = Math.min(done + portion, agents.length)
      yield done
    }
  }

  /**
   * Catches up with what other processes have put into the store, and taken out of it. Picks do so by themselves: this is for who looks
   * at the fleet before the first, or between two. @throws OstlerError STORE_UNAVAILABLE
   */
  refresh(): Result<M, void> {
    return this.#follow() as Result<M, void>
  }

  /** Takes agents out at once; their leases may still be reported. Unknown ids are passed over. */
  remove(ids: readonly string[]): Result<M, void> {
    const checked = checkedIds(ids)
    return andThen(this.#store.removeAgents(checked), () => this.#follow()) as Result<M, void>
  }

  /** Gives agents no new picks; what they have goes on. Unknown ids are passed over. An upsert undoes it. */
  drain(ids: readonly string[]): Result<M, void> {
    const checked = checkedIds(ids)
    return this.#put(() => {
      const drained: StoredAgent[] = []
      for (const id of new Set(checked)) {
        const agent = this.get(id)
        if (agent !== undefined) drained.push({ ...agent, drained: true })
      }
      return drained
    })
  }

  /** Puts agents, as they are once the roster has caught up with the store. */
  #put(agentsNow: () => readonly StoredAgent[]): Result<M, void> {
    const nowMs = this.#time.nowMs()
    const put = andThen(this.#roster.follow(nowMs), () => {
      const agents = agentsNow()
      return andThen(this.#store.putAgents(agents), (version) => {
        if (!this.#roster.put(agents, version, nowMs)) return this.#follow()
      })
    })
    return put as Result<M, void>
  }

  #follow(): void | Promise<void> {
    return this.#roster.follow(this.#time.nowMs())
  }
}

/**
 * A copy of the known fields, each read once, those of a class instance's prototype too: what a caller changes afterwards changes
 * nothing here. What is wrong with it is added to the problems.
 */
function checkedCopy(problems: Problem[], index: number, agent: unknown): StoredAgent {
  if (typeof agent !== 'object' || agent === null || Array.isArray(agent)) {
    problems.push({
      path: `[${index}]`,
      message: `must be an agent { id, ... }, got ${shown(agent)}`,
    })
    return {} as StoredAgent
  }
  const known = problems.length
  for (const name in agent) {
    if (KNOWN.has(name)) continue
    problems.push({ path: '', message: unknownField(name, 'an agent', AGENT_FIELDS) })
  }
  const copy = copyOf(agent as Agent)
  agentProblems(problems, copy as unknown as Record<string, unknown>)
  for (let i = known; i < problems.length; i++) {
    const { path, message } = problems[i]
    problems[i] = { path: path === '' ? `[${index}]` : `[${index}].${path}`, message }
  }
  return copy
}

/** Without the fields that are undefined. Most agents are of one shape, whatever the shape of the caller's: what comes after is compiled for it. */
function copyOf(agent: Agent): StoredAgent {
  const { id, country, region, city, lat, lon, exitIp, asn, tags, weight, maxConcurrency, url } =
    agent
  const isPlaced = country !== undefined && lat !== undefined && lon !== undefined
  const copy: { -readonly [Field in keyof Agent]: Agent[Field] } = isPlaced
    ? new Placed(id, country, lat, lon)
    : { id }
  if (!isPlaced) {
    if (country !== undefined) copy.country = country
    if (lat !== undefined) copy.lat = lat
    if (lon !== undefined) copy.lon = lon
  }
  if (region !== undefined) copy.region = region
  if (city !== undefined) copy.city = city
  if (exitIp !== undefined) copy.exitIp = exitIp
  if (asn !== undefined) copy.asn = asn
  if (tags !== undefined) {
    copy.tags = Array.isArray(tags) && tags.length <= MAX_TAGS ? [...tags] : tags
  }
  if (weight !== undefined) copy.weight = weight
  if (maxConcurrency !== undefined) copy.maxConcurrency = maxConcurrency
  if (url !== undefined) copy.url = url
  return copy
}

function checkedIds(ids: readonly string[]): readonly string[] {
  if (!Array.isArray(ids)) {
    throw new OstlerError('INVALID_REQUEST', `must be an array of agent ids, got ${shown(ids)}`)
  }
  const copy: readonly unknown[] = [...ids]
  copy.forEach((id, i) => {
    if (typeof id === 'string') return
    throw new OstlerError('INVALID_REQUEST', `[${i}] must be an agent id, got ${shown(id)}`)
  })
  return copy as readonly string[]
}

function agentProblems(problems: Problem[], fields: Readonly<Record<string, unknown>>): void {
  name(problems, 'id', fields['id'])
  if (fields['exitIp'] !== undefined) name(problems, 'exitIp', fields['exitIp'])
  placeProblems(problems, fields)
  text(problems, 'city', fields['city'], MAX_TEXT)
  text(problems, 'url', fields['url'], MAX_URL)
  tagsProblems(problems, 'tags', fields['tags'])
  const { asn, weight, maxConcurrency } = fields
  if (asn !== undefined) expectInteger(problems, 'asn', asn, 0, 4_294_967_295)
  if (maxConcurrency !== undefined) {
    expectInteger(problems, 'maxConcurrency', maxConcurrency, 1, 65_535)
  }
  if (weight !== undefined && !(typeof weight === 'number' && weight > 0 && weight <= 1e6)) {
    const message = `must be a number above 0, to 1000000, got ${shown(weight)}`
    problems.push({ path: 'weight', message })
  }
}

function placeProblems(problems: Problem[], fields: Readonly<Record<string, unknown>>): void {
  const { country, region, lat, lon } = fields
  if (country !== undefined && !(typeof country === 'string' && isCountry(country))) {
    const message = `must be an ISO 3166-1 alpha-2 code in upper case, got ${shown(country)}`
    problems.push({ path: 'country', message })
  }
  if (region !== undefined) {
    const fits = typeof region === 'string' && REGION.test(region)
    if (!fits || region.slice(0, 2) !== country) {
      const message = `must be an ISO 3166-2 code of its country, got ${shown(region)}`
      problems.push({ path: 'region', message })
    }
  }
  if (lat === undefined && lon === undefined) return
  degrees(problems, 'lat', lat, 90)
  degrees(problems, 'lon', lon, 180)
}

function degrees(problems: Problem[], path: string, value: unknown, most: number): void {
  if (typeof value === 'number' && value >= -most && value <= most) return
  problems.push({ path, message: `must be degrees from -${most} to ${most}, got ${shown(value)}` })
}

function name(problems: Problem[], path: string, value: unknown): void {
  const problem = keyProblem(value)
  if (problem !== null) problems.push({ path, message: problem })
}

function text(problems: Problem[], path: string, value: unknown, most: number): void {
  if (value === undefined || (typeof value === 'string' && value.length <= most)) return
  // A url may hold credentials: its value stays out of the message.
  const got = typeof value === 'string' ? `${value.length} characters` : shown(value)
  problems.push({ path, message: `must be a string of at most ${most} characters, got ${got}` })
}

function tagsProblems(problems: Problem[], path: string, tags: unknown): void {
  if (tags === undefined) return
  if (!Array.isArray(tags) || tags.length > MAX_TAGS) {
    problems.push({
      path,
      message: `must be an array of at most ${MAX_TAGS} tags, got ${shown(tags)}`,
    })
    return
  }
  tags.forEach((tag, i) => name(problems, `${path}[${i}]`, tag))
}
