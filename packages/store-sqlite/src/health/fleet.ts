import {
  OstlerError,
  type AgentBreaker,
  type AgentChange,
  type AgentChanges,
  type StoredAgent,
} from '@ostler/core'
import type { Connection } from '../file/connection.ts'
import type { CountName, Head } from '../file/head.ts'
import type { Read, Write } from '../file/sql.ts'

type Kind = 'agent' | 'breaker' | 'exit'

/** Breakers and excluded exits of agents that were never put: so many beside the fleet's own. */
const MOST_STRANGERS = 1_024
/** So many of the gone are remembered beside as many as there are. */
const MOST_GONE = 1_024

const COUNTS: Readonly<Record<Kind, CountName>> = {
  agent: 'agents',
  breaker: 'breakers',
  exit: 'exits',
}
const GONE_COUNTS: Readonly<Record<Kind, CountName>> = {
  agent: 'gone_agents',
  breaker: 'gone_breakers',
  exit: 'gone_exits',
}

/** What a row says beside its version, kind and name: agent, failures, untilMs. */
type Said = readonly [agent: string | null, failures: number | null, untilMs: number | null]
const GONE: Said = [null, null, null]

type Row = [
  kind: Kind,
  name: string,
  gone: number,
  agent: string | null,
  failures: number | null,
  untilMs: number | null,
]

/** Agents, their breakers and the exits that are excluded everywhere, in order of change: a row's number is its version. */
export class Fleet {
  readonly #connection: Connection
  readonly #head: Head
  readonly #maxAgents: number
  readonly #find: Read<
    [version: number, gone: number, failures: number | null, untilMs: number | null]
  >
  readonly #insert: Write
  readonly #delete: Write
  readonly #since: Read<Row>
  readonly #oldestGone: Read<[version: number]>
  readonly #oldest: Read<[name: string, untilMs: number]>
  /** What a caller who has seen the newest version is told, while `stamp` holds. */
  #quiet: AgentChanges | null = null
  #quietStamp = 0

  constructor(connection: Connection, maxAgents: number) {
    const { sql, head } = connection
    this.#connection = connection
    this.#head = head
    this.#maxAgents = maxAgents
    this.#find = sql.read(
      'SELECT version, gone, failures, until_ms FROM fleet WHERE kind = ? AND name = ?',
    )
    this.#insert = sql.write(
      `INSERT INTO fleet (version, kind, name, gone, agent, failures, until_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#delete = sql.write('DELETE FROM fleet WHERE version = ?')
    this.#since = sql.read(
      `SELECT kind, name, gone, agent, failures, until_ms FROM fleet
       WHERE version > ? ORDER BY version`,
    )
    this.#oldestGone = sql.read(
      'SELECT version FROM fleet WHERE kind = ? AND gone = 1 ORDER BY version LIMIT 1',
    )
    this.#oldest = sql.read(
      `SELECT name, until_ms FROM fleet WHERE kind = ? AND gone = 0 AND kind <> 'agent'
       ORDER BY version LIMIT 1`,
    )
  }

  /** Answers the version then: one further for each agent. @throws OstlerError FLEET_FULL, before anything is written */
  put(agents: readonly StoredAgent[]): number {
    if (this.#head.count('agents') + agents.length > this.#maxAgents) this.#checkRoom(agents)
    const described = agents.map((agent) => JSON.stringify(agent))
    for (const [i, { id }] of agents.entries()) this.#set('agent', id, [described[i], null, null])
    return this.#version()
  }

  /** Answers the version then. */
  remove(ids: readonly string[]): number {
    for (const id of ids) {
      if (!this.#has('agent', id)) continue
      if (this.#has('breaker', id)) this.#set('breaker', id, null)
      this.#set('agent', id, null)
    }
    return this.#version()
  }

  breaker(agent: string): AgentBreaker | null {
    if (this.#head.count('breakers') === 0) return null
    const row = this.#find.one('breaker', agent)
    if (row === undefined || row[1] === 1) return null
    return { failures: row[2] as number, downUntilMs: row[3] as number }
  }

  setBreaker(agent: string, breaker: AgentBreaker | null): void {
    const said = breaker === null ? null : ([null, breaker.failures, breaker.downUntilMs] as const)
    this.#set('breaker', agent, said)
    if (this.#head.count('breakers') <= this.#maxAgents + MOST_STRANGERS) return
    const oldest = this.#oldest.one('breaker')
    if (oldest !== undefined) this.#set('breaker', oldest[0], null)
  }

  isExcluded(exit: string, nowMs: number): boolean {
    if (this.#head.count('exits') === 0) return false
    const row = this.#find.one('exit', exit)
    return row !== undefined && row[1] === 0 && nowMs < (row[3] as number)
  }

  /** @throws OstlerError STORE_FULL where as many exits are excluded as agents may be */
  excludeExit(exit: string, untilMs: number, nowMs: number): void {
    if (untilMs <= nowMs) {
      this.restoreExit(exit)
      return
    }
    if (!this.#has('exit', exit)) this.#makeRoomForExit(nowMs)
    this.#set('exit', exit, [null, null, untilMs])
  }

  restoreExit(exit: string): void {
    if (this.#has('exit', exit)) this.#set('exit', exit, null)
  }

  /** What is told of `sinceVersion` without a look at the file, where that is known to be nothing new. */
  recall(sinceVersion: number): AgentChanges | undefined {
    const quiet = this.#quiet
    if (quiet === null || this.#quietStamp !== this.#connection.stamp) return undefined
    return quiet.version === sinceVersion ? quiet : undefined
  }

  /** What changed since a version, oldest first; everything since 0. O(changes). */
  changes(sinceVersion: number): AgentChanges {
    const { versions } = this.#connection
    const newest = this.#head.fleetVersion
    const version = this.#version()
    this.#quietStamp = this.#connection.stamp
    if (this.#quiet?.version !== version) this.#quiet = { version, reset: false, changes: [] }
    if (sinceVersion === version) return this.#quiet
    const seen = versions.seen(sinceVersion, newest)
    const reset = seen === -1 || (seen !== 0 && seen < this.#head.fleetFloor)
    const since = reset ? 0 : seen
    const changes: AgentChange[] = []
    for (const row of this.#since.each(since))
      if (since > 0 || row[2] === 0) changes.push(told(row))
    return { version, reset, changes, ...(seen === -1 && { lost: true }) }
  }

  #version(): number {
    return this.#connection.versions.told(this.#head.fleetVersion)
  }

  #has(kind: Kind, name: string): boolean {
    return this.#find.one(kind, name)?.[1] === 0
  }

  /** Sets what is said under a name, or with null ends it, as the newest change. */
  #set(kind: Kind, name: string, said: Said | null): void {
    const head = this.#head
    const before = this.#find.one(kind, name)
    if (before !== undefined) {
      this.#delete.run(before[0])
      head.add(before[1] === 0 ? COUNTS[kind] : GONE_COUNTS[kind], -1)
    }
    this.#insert.run(head.nextFleetVersion(), kind, name, said === null ? 1 : 0, ...(said ?? GONE))
    head.add(said === null ? GONE_COUNTS[kind] : COUNTS[kind], 1)
    this.#quiet = null
    if (said === null) this.#forgetGone(kind)
  }

  /** The oldest of the gone are forgotten: who has yet to hear of them starts anew. */
  #forgetGone(kind: Kind): void {
    const head = this.#head
    while (head.count(GONE_COUNTS[kind]) > head.count(COUNTS[kind]) + MOST_GONE) {
      const [version] = this.#oldestGone.one(kind) as [number]
      this.#delete.run(version)
      head.add(GONE_COUNTS[kind], -1)
      head.raiseFleetFloor(version)
    }
  }

  #checkRoom(agents: readonly StoredAgent[]): void {
    const fresh = new Set(agents.map(({ id }) => id).filter((id) => !this.#has('agent', id)))
    const total = this.#head.count('agents') + fresh.size
    if (total <= this.#maxAgents) return
    const message = `the fleet must not exceed maxAgents = ${this.#maxAgents} agents, got ${total}`
    throw new OstlerError('FLEET_FULL', message)
  }

  /** Ends exclusions that have run out, two for each that comes; there are never more than agents may be. */
  #makeRoomForExit(nowMs: number): void {
    for (let i = 0; i < 2; i++) {
      const oldest = this.#oldest.one('exit')
      if (oldest === undefined || nowMs < oldest[1]) break
      this.#set('exit', oldest[0], null)
    }
    const exits = this.#head.count('exits')
    if (exits < this.#maxAgents + MOST_STRANGERS) return
    const message = `the file holds ${exits} exits that are excluded everywhere`
    throw new OstlerError('STORE_FULL', message)
  }
}

function told([kind, name, gone, agent, failures, untilMs]: Row): AgentChange {
  switch (kind) {
    case 'agent':
      if (gone === 1) return { kind: 'removed', id: name }
      return { kind: 'put', agent: JSON.parse(agent as string) as StoredAgent }
    case 'breaker': {
      const breaker = { failures: failures ?? 0, downUntilMs: untilMs ?? 0 }
      return { kind: 'breaker', id: name, breaker }
    }
    case 'exit':
      return { kind: 'exit', exit: name, untilMs: untilMs ?? 0 }
    default:
      return kind satisfies never
  }
}
