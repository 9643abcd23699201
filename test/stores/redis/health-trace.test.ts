import {
  memoryStore,
  type Acquired,
  type AgentChange,
  type AgentChanges,
  type Changes,
  type Lease,
  type PairRecord,
  type Settled,
  type Store,
} from '@ostler/core'
import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seed, TIMEOUT_MS } from '../../properties/replay.ts'
import type { Link } from '../../../packages/store-redis/src/client.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { linkTo, openHealth, type HealthStore } from './health-rig.ts'
import {
  asOf,
  policiesArbitrary,
  START_MS,
  traceArbitrary,
  type Policies,
  type Step,
} from './health-traces.ts'

let server: RedisServer
let link: Link

beforeAll(async () => {
  server = await startRedis()
  link = linkTo(server.url)
})
afterAll(async () => {
  link.close()
  await server.stop()
})

/** What one follower has seen of a domain or of the fleet, on each store, and what it knows by that. */
interface Seen<T> {
  memory: number
  redis: number
  readonly knownToMemory: Map<string, T>
  readonly knownToRedis: Map<string, T>
}

/** Both stores side by side, and those who follow them. */
class Pairing {
  readonly #memory: Store<'sync'> = memoryStore()
  readonly #redis: HealthStore
  readonly #policies: Policies
  /** Whether nothing is ever forgotten: then resets too must be the same. */
  readonly #short: boolean
  readonly #domains = new Map<string, Seen<PairRecord>>()
  readonly #fleets = new Map<number, Seen<string>>()
  readonly #leases: {
    readonly lease: Lease
    readonly request: Extract<Step, { kind: 'acquire' }>
  }[] = []
  #clockMs = START_MS
  #newestMs = START_MS

  constructor(redis: HealthStore, policies: Policies, short: boolean) {
    this.#redis = redis
    this.#policies = policies
    this.#short = short
  }

  async step(step: Step): Promise<void> {
    switch (step.kind) {
      case 'advance':
        this.#clockMs += step.spanMs
        return
      case 'back':
        this.#clockMs -= Math.min(step.spanMs, 5_000)
        return
      case 'acquire':
        return this.#acquire(step)
      case 'settle':
        return this.#settle(step)
      case 'exclude': {
        const untilMs = Math.max(0, this.#clockMs + step.forMs)
        this.#memory.exclude(step.exit, step.domain, untilMs, this.#now())
        return this.#redis.exclude(step.exit, step.domain, untilMs, this.#now())
      }
      case 'restore':
        this.#memory.restore(step.exit, step.domain, this.#now())
        return this.#redis.restore(step.exit, step.domain, this.#now())
      case 'merge': {
        const changes = step.changes.map((change) => asOf(change, this.#clockMs))
        this.#memory.merge(step.domain, changes, this.#now())
        return this.#redis.merge(step.domain, changes, this.#now())
      }
      case 'exclusions': {
        const seen = this.#domain(step.domain, step.follower)
        const [nowMs, { domain }] = [this.#now(), step]
        const ours = await this.#redis.exclusions(domain, seen.redis, nowMs)
        return this.#sameChanges(seen, this.#memory.exclusions(domain, seen.memory, nowMs), ours)
      }
      default:
        return this.#fleetStep(step)
    }
  }

  async #fleetStep(step: Extract<Step, { kind: 'put' | 'remove' | 'agents' }>): Promise<void> {
    if (step.kind === 'put') {
      this.#memory.putAgents(step.agents)
      await this.#redis.putAgents(step.agents)
    } else if (step.kind === 'remove') {
      this.#memory.removeAgents(step.ids)
      await this.#redis.removeAgents(step.ids)
    } else {
      const seen = this.#fleet(step.follower)
      const ours = await this.#redis.agents(seen.redis)
      this.#sameFleet(seen, this.#memory.agents(seen.memory), ours)
    }
  }

  async #acquire(step: Extract<Step, { kind: 'acquire' }>): Promise<void> {
    const repeated = step.again === null ? undefined : this.#leases.at(-1 - step.again)
    const { domain, candidates, holdMs } = repeated?.request ?? step
    const leaseId = repeated?.lease.id ?? `l${this.#leases.length},`
    const [nowMs, seen] = [this.#now(), this.#domain(domain, step.follower)]
    const deadlineMs = nowMs + holdMs
    const { health } = this.#policies
    const request = { domain, candidates, leaseId, deadlineMs, nowMs, health }
    const theirs = this.#memory.acquire({ ...request, viewVersion: seen.memory })
    const ours = await this.#redis.acquire({ ...request, viewVersion: seen.redis })
    const { changes: told, fleetVersion, ...answer } = ours
    const { changes, ...expected } = theirs
    note(theirs)
    expect(answer).toEqual(expected)
    expect(fleetVersion).toBeGreaterThanOrEqual(0)
    this.#sameChanges(seen, changes, told)
    if (theirs.kind === 'refused') return
    const { agentId, exit } = candidates[theirs.index]
    const { epoch, probe } = theirs
    // A repeat of a lease that has ended gives another one of that name, perhaps another agent.
    if (repeated !== undefined) Object.assign(repeated.lease, { agentId, exit, epoch, probe })
    else {
      const id = leaseId
      const lease = { id, agentId, exit, domain, epoch, pickedAtMs: nowMs, deadlineMs, probe }
      this.#leases.push({ lease, request: { ...step, domain, candidates } })
    }
  }

  async #settle(step: Extract<Step, { kind: 'settle' }>): Promise<void> {
    const held = this.#leases.at(-1 - step.nth)
    if (held === undefined) return
    const lease = { ...held.lease, epoch: Math.max(0, held.lease.epoch + step.epochOff) }
    const [nowMs, seen] = [this.#now(), this.#domain(lease.domain, step.follower)]
    const request = { lease, outcome: step.outcome, nowMs, ...this.#policies }
    const theirs = this.#memory.settle({ ...request, viewVersion: seen.memory })
    const ours = await this.#redis.settle({ ...request, viewVersion: seen.redis })
    const { changes: told, fleetVersion, ...answer } = ours
    const { changes, ...expected } = theirs
    note(theirs)
    expect(answer).toEqual(expected)
    expect(fleetVersion).toBeGreaterThanOrEqual(0)
    this.#sameChanges(seen, changes, told)
  }

  /** The answers, as far as versions of another base and the time of forgetting allow; and what a follower knows by them. */
  #sameChanges(seen: Seen<PairRecord>, theirs: Changes, ours: Changes): void {
    expect(ours.incident).toEqual(theirs.incident)
    expect(ours.lost).toBeUndefined()
    expect(ours.version === seen.redis).toBe(theirs.version === seen.memory)
    if (ours.version !== 0 && seen.redis !== 0) {
      expect(Math.sign(ours.version - seen.redis)).toBe(Math.sign(theirs.version - seen.memory))
      expect(ours.version - seen.redis).toBe(theirs.version - seen.memory)
    }
    if (this.#short) {
      expect(ours.reset).toBe(theirs.reset)
      expect(ours.changes).toEqual(theirs.changes)
    }
    for (const [known, told] of [
      [seen.knownToMemory, theirs],
      [seen.knownToRedis, ours],
    ] as const) {
      if (told.reset) known.clear()
      for (const { exit, record } of told.changes) {
        if (record === null) known.delete(exit)
        else known.set(exit, record)
      }
      for (const [exit, { forgetAtMs }] of known)
        if (this.#newestMs >= forgetAtMs) known.delete(exit)
    }
    expect(seen.knownToRedis).toEqual(seen.knownToMemory)
    seen.memory = theirs.version
    seen.redis = ours.version
  }

  /** Exits whose rest is over may be told as such sooner or later. */
  #sameFleet(seen: Seen<string>, theirs: AgentChanges, ours: AgentChanges): void {
    const counts = (change: AgentChange): boolean =>
      change.kind !== 'exit' || change.untilMs > this.#newestMs
    expect(ours.reset).toBe(theirs.reset)
    expect(ours.changes.filter(counts)).toEqual(theirs.changes.filter(counts))
    for (const [known, told] of [
      [seen.knownToMemory, theirs],
      [seen.knownToRedis, ours],
    ] as const) {
      for (const change of told.changes) {
        const name =
          change.kind === 'put' ? change.agent.id : change.kind === 'exit' ? change.exit : change.id
        known.set(
          `${change.kind === 'removed' ? 'put' : change.kind} ${name}`,
          JSON.stringify(change),
        )
      }
    }
    const live = (known: Map<string, string>): string[] =>
      Array.from(known.values())
        .filter((text) => counts(JSON.parse(text) as AgentChange))
        .sort()
    expect(live(seen.knownToRedis)).toEqual(live(seen.knownToMemory))
    seen.memory = theirs.version
    seen.redis = ours.version
  }

  #now(): number {
    this.#newestMs = Math.max(this.#newestMs, this.#clockMs)
    return this.#clockMs
  }

  #domain(domain: string, follower: number): Seen<PairRecord> {
    return seenBy(this.#domains, `${follower} ${domain}`)
  }

  #fleet(follower: number): Seen<string> {
    return seenBy(this.#fleets, follower)
  }
}

function seenBy<K, T>(all: Map<K, Seen<T>>, key: K): Seen<T> {
  let seen = all.get(key)
  if (seen === undefined) {
    seen = { memory: 0, redis: 0, knownToMemory: new Map(), knownToRedis: new Map() }
    all.set(key, seen)
  }
  return seen
}

let traces = 0

/** What the traces have come to. */
const reached = new Map<string, number>()

function note(answer: Acquired | Settled): void {
  const marks: string[] = [answer.kind]
  if (answer.changes.incident !== null) marks.push('incident')
  if (answer.kind === 'acquired') {
    if (answer.probe) marks.push('probe')
  } else if (answer.kind === 'refused') {
    if (answer.busyUntilMs.some((untilMs) => untilMs > 0)) marks.push('busy')
  } else {
    if (answer.record !== null) marks.push(answer.record.health)
    if (answer.record?.manual !== undefined) marks.push('manual')
    if ((answer.breaker?.downUntilMs ?? 0) > 0) marks.push('down')
  }
  for (const mark of marks) reached.set(mark, (reached.get(mark) ?? 0) + 1)
}

/** Keys of domains, leases and agents that would stay for ever. */
async function endlessKeys(prefix: string): Promise<string[]> {
  const client = link.client as Redis
  const keys = await client.keys(`${prefix}:*`)
  const named = keys.filter((key) => /}:[mdvoisla]:/.test(key))
  const ttls = await Promise.all(named.map((key) => client.pttl(key)))
  return named.filter((_, i) => ttls[i] === -1)
}

describe('on Redis, health and fleet decide as in memory', { timeout: TIMEOUT_MS }, () => {
  it.each([
    ['a trace that forgets nothing, answer by answer', true],
    ['a trace of any span, as far as anybody can tell', false],
  ])('%s', async (_, short) => {
    reached.clear()
    const property = fc.asyncProperty(
      policiesArbitrary,
      traceArbitrary(100, short),
      async (policies, steps) => {
        const prefix = `trace${traces++}`
        const half = openHealth(link, { prefix })
        const pairing = new Pairing(half.store, policies, short)
        for (const step of steps) await pairing.step(step)
        expect(await endlessKeys(prefix)).toEqual([])
      },
    )
    const plugins = [fc.interruptAfterTimeLimit(80_000) as fc.Plugin<[Policies, readonly Step[]]>]
    await fc.assert(property, { seed, numRuns: 200, plugins })
    // Else the traces are too tame to tell.
    for (const what of ['probe', 'incident', 'busy', 'unavailable', 'manual', 'down', 'stale']) {
      expect(reached.get(what) ?? 0, what).toBeGreaterThan(10)
    }
  })
})
