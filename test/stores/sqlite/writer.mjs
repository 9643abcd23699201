// A process that writes to a store until it is killed, and tells of each write after the call has returned:
//
//   node writer.mjs '{ "id": 3, "acks": "/path", "options": { "path": "..." }, "restMs": 0 }'
//
// An acknowledgement is one line, written by one system call, so that it outlives the process: what was written, the instant at which
// the call began, and the one at which it had returned, in ms of the clock that all processes of a host share.
import { openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { sqliteStore } from '@ostler/store-sqlite'

const { id, acks, options, restMs } = JSON.parse(process.argv[2])
const DAY_MS = 86_400_000
const LONG = {
  kind: 'exact',
  name: 'long',
  limit: 1_000_000_000,
  windowMs: 30 * DAY_MS,
  quantumMs: DAY_MS,
}
const HEALTH = {
  ladder: [{ health: 'unavailable', durationMs: 7 * DAY_MS }],
  rateLimitedMs: 30_000,
  strikeDecayMs: 3_600_000,
  okStreakToForget: 3,
  jitter: 0,
}
const INCIDENT = {
  minExclusions: 1_000_000,
  exclusionShare: 1,
  minFailures: 1_024,
  failureShare: 1,
}
const BREAKER = { threshold: 3, restMs: 10_000, maxRestMs: 300_000 }

const store = sqliteStore(options)
let seen = 0
const file = openSync(acks, 'a')
const nowMs = () => Number(process.hrtime.bigint()) / 1e6

/** In the proportions of a busy day: mostly limits. */
const WRITES = [consume, consume, consume, consume, consume, named, permit, block, agent, operation]

for (let n = 0; ; n++) {
  const write = WRITES[n % WRITES.length]
  const beganMs = nowMs()
  tell(attempt(write, n) ?? 'refused -', beganMs)
  // The event loop runs: a batch that is open is committed by its timer.
  if (restMs === 0 || n % 500 !== 499) continue
  await sleep(restMs)
  tell('rested -', nowMs())
}

/** Undefined where the others held the file for too long: then nothing was written, and nothing is told. */
function attempt(write, n) {
  try {
    return write(n)
  } catch (error) {
    if (error.cause?.code === 'SQLITE_BUSY') return undefined
    throw error
  }
}

function tell(what, beganMs) {
  writeSync(file, `${what} ${beganMs.toFixed(3)} ${nowMs().toFixed(3)}\n`)
}

function consume(n) {
  const key = `key-${id}-${n % 7}`
  store.consume({ key, policies: [LONG], cost: 1, nowMs: Date.now() })
  return `consumed ${key}`
}

function named(n) {
  const key = `named-${id}`
  const opId = `op-${id}-${n}`
  store.consume({ key, policies: [LONG], cost: 1, nowMs: Date.now(), opId })
  return `named ${key}/${opId}`
}

function permit(n) {
  const key = `holder-${id}`
  const held = { id: `permit-${id}-${n}`, cap: 1_000_000, deadlineMs: Date.now() + DAY_MS }
  store.consume({ key, policies: [], cost: 1, nowMs: Date.now(), permit: held })
  return `held ${key}/${held.id}`
}

function block(n) {
  const atMs = Date.now()
  const exit = `exit-${id}-${n}`
  const domain = `d${id}.example`
  const candidate = { agentId: exit, exit, maxConcurrency: 1 }
  const asked = { domain, candidates: [candidate], leaseId: `lease-${id}-${n}` }
  const deadlineMs = atMs + 60_000
  const given = store.acquire({
    ...asked,
    deadlineMs,
    nowMs: atMs,
    viewVersion: seen,
    health: HEALTH,
  })
  const { epoch, probe } = given
  const lease = {
    id: asked.leaseId,
    agentId: exit,
    exit,
    domain,
    epoch,
    pickedAtMs: atMs,
    deadlineMs,
    probe,
  }
  const policies = { health: HEALTH, incident: INCIDENT, breaker: BREAKER, exits: 1_000_000 }
  const told = { lease, outcome: { kind: 'blocked' }, nowMs: atMs }
  const viewVersion = given.changes.version
  seen = store.settle({ ...told, viewVersion, ...policies }).changes.version
  return `blocked ${domain}/${exit}`
}

function agent(n) {
  store.putAgents([{ id: `agent-${id}-${n}`, country: 'DE' }])
  return `put agent-${id}-${n}`
}

function operation(n) {
  const atMs = Date.now()
  const job = { id: `job-${id}-${n}`, fingerprint: 'input', nowMs: atMs }
  store.begin({ ...job, runUntilMs: atMs + DAY_MS, expiresAtMs: atMs + DAY_MS })
  if (n % 20 > 10) store.complete({ ...job, value: `value of ${job.id}` })
  return `${n % 20 > 10 ? 'completed' : 'begun'} ${job.id}`
}
