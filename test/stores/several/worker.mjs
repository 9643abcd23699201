// One process of a herd: hammers a shared store through a scheduler of its own, and writes down what it asked and was told.
//
//   node worker.mjs '{ store, world, seed, actors, log }'
//
// Goes on until something comes in on its standard input.
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryStore, Scheduler, seededRandom } from '@ostler/core'
import { recorder } from './recorder.mjs'

const { store, world, seed, actors, log } = JSON.parse(process.argv[2])
const random = seededRandom(seed)
/** What ends with the run, beside the scheduler. */
const closers = []
const scheduler = new Scheduler({
  store: await openStore(store),
  tiers: world.tiers,
  health: world.health,
  incident: world.incident,
  leaseMs: world.leaseMs,
  probeShare: 1,
  // What one process decides alone can't hold between several.
  degraded: { limits: 'deny', picks: 'refuse' },
  random,
})
const exits = new Map(world.agents.map(({ id, exitIp = id }) => [id, exitIp]))
const call = recorder(log)
const end = new AbortController()
/** What dispatches come to, each so often. */
const OUTCOMES = Object.entries({
  ok: 10,
  neutral: 2,
  target_error: 1,
  blocked: 2,
  challenged: 1,
  rate_limited: 1,
}).flatMap(([kind, times]) => Array(times).fill(kind))

process.stdin.once('data', () => {
  end.abort()
  process.stdin.destroy()
})
await untilDone('upsert', {}, () => scheduler.agents.upsert(world.agents))
await Promise.all([...Array(actors)].map(act))
await Promise.resolve(scheduler.close())
for (const close of closers) close()

async function openStore({ kind, ...options }) {
  if (kind === 'memory') return memoryStore()
  if (kind === 'sqlite') return (await import('@ostler/store-sqlite')).sqliteStore(options)
  const { redisStore } = await import('@ostler/store-redis')
  if (kind === 'redis') return redisStore(options)
  const { urls, ...others } = options
  return redisStore({ ...others, client: await openCluster(urls) })
}

async function openCluster(urls) {
  const { Cluster } = await import('ioredis')
  const client = new Cluster(urls, {
    enableOfflineQueue: false,
    slotsRefreshInterval: 500,
    redisOptions: { maxRetriesPerRequest: 0 },
  })
  // What is wrong with a connection, the calls say.
  client.on('error', () => undefined)
  closers.push(() => client.disconnect())
  return client
}

async function act() {
  while (!end.signal.aborted) {
    const roll = random()
    if (roll < 0.02) await byHand()
    else if (roll < 0.25) await admit(oneOf(world.callers))
    else if (roll < 0.32) await repeatable()
    else if (roll < 0.45) await permit()
    else await dispatch()
    await sleep(random() * 4)
  }
}

/** Waits as long as it was told, and so comes back in one instant with all others; or, where that is long, for a moment. */
function comeBack(afterMs) {
  return sleep(Math.max(0, afterMs <= 300 && random() < 0.5 ? afterMs : Math.min(afterMs, 20)))
}

async function admit({ key, tier, cost: common = 1 }, opId, times = oneOf([1, 1, 1, 1, 2, 3])) {
  const cost = common * times
  const request = opId === undefined ? { key, tier, cost } : { key, tier, cost, opId }
  const decision = await call('admit', request, () => scheduler.admit(request), decided)
  if (decision?.allowed === false) await comeBack(decision.retryAfterMs)
}

/** Names that all workers draw at the same time: who asks second is told what the first was. */
function repeatable() {
  const name = Math.floor(Date.now() / 50) * 4 + Math.floor(random() * 4)
  return admit(world.callers[name % world.callers.length], `op-${name}`, 1 + (name % 2))
}

/** A permit that is held for a while: given back in time, held on to, or lost. */
async function permit() {
  const request = { key: 'k-held', tier: 'held', permit: { ttlMs: 100 + between(0, 300) } }
  const { key, tier, permit: asked } = request
  const args = { key, tier, cost: 1, ttlMs: asked.ttlMs }
  const decision = await call('admit', args, () => scheduler.admit(request), decided)
  if (decision?.allowed === false) await comeBack(decision.retryAfterMs)
  let held = decision?.permit
  if (held === undefined) return
  await sleep(between(0, 60))
  while (random() < 0.4) {
    const of = { key, permit: held.id }
    const renewal = held
    const answer = await call(
      'renew',
      of,
      () => scheduler.renew(renewal, 150),
      (renewed) => renewed && { deadlineMs: renewed.deadlineMs },
    )
    if (!answer) return
    held = { ...held, deadlineMs: answer.deadlineMs }
    await sleep(between(0, 200))
  }
  if (random() < 0.15) return
  await call('release', { key, permit: held.id }, () => scheduler.release(held), Boolean)
}

async function dispatch() {
  const domain = random() < 0.3 ? world.domains[0] : oneOf(world.domains)
  const request = random() < 0.3 ? { domain, pin: world.wanted } : { domain }
  const picked = await call('pick', { domain }, () => scheduler.pick(request), picking)
  if (picked?.kind === 'exhausted') await comeBack(picked.retryAtMs - Date.now())
  if (picked?.kind !== 'picked') return
  const { lease } = picked
  await sleep(random() < 0.05 ? between(0, 1.2 * world.leaseMs) : between(0, 25))
  // Lost: its slot and its probe come back at its deadline.
  if (random() < 0.05) return
  const kind = oneOf(OUTCOMES)
  await report(lease, kind)
  if (random() < 0.1) await report(lease, kind)
}

function report(lease, outcome) {
  const { id, exit, domain, epoch, probe } = lease
  const args = { lease: id, exit, domain, epoch, probe, outcome }
  return call('report', args, () => scheduler.report(lease, { kind: outcome }), settling)
}

async function byHand() {
  const agentId = random() < 0.5 ? oneOf(world.wanted) : oneOf(world.agents).id
  const domain = random() < 0.5 ? '*' : oneOf(world.domains)
  const args = { exit: exits.get(agentId), domain }
  const { decidedLocally } = scheduler.standing()
  // Taken down here while the store was out of reach, it reaches the others some time later, if at all.
  const inForce = () => scheduler.standing().decidedLocally === decidedLocally
  if (random() < 0.2) {
    await call('restore', args, () => scheduler.restore(agentId, domain), inForce)
    return
  }
  const endMs = Date.now() + between(30, 200)
  const excluded = { ...args, untilMs: endMs }
  await call('exclude', excluded, () => scheduler.exclude(agentId, domain, endMs), inForce)
}

function done() {
  return true
}

function decided({ allowed, atMs, degraded, permit }) {
  return {
    allowed,
    atMs,
    degraded,
    ...(permit && { permit: permit.id, deadlineMs: permit.deadlineMs }),
  }
}

function picking({ kind, cause, lease }) {
  return kind === 'picked' ? { kind, ...lease } : { kind, cause }
}

function settling({ kind, changed, record }) {
  if (record === null) return { kind, changed, record }
  const { health, untilMs, epoch, strikes } = record
  return { kind, changed, record: { health, untilMs, epoch, strikes } }
}

/** What a worker cannot begin without. */
async function untilDone(kind, args, ask) {
  const asked = async () => (await ask(), true)
  while ((await call(kind, args, asked, done)) === undefined);
}

function oneOf(list) {
  return list[Math.floor(random() * list.length)]
}

function between(low, high) {
  return Math.floor(low + random() * (high - low))
}
