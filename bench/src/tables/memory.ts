import { memoryStore, Scheduler } from '@ostler/core'
import type { Figure, Gauge, Kind, Table } from '../case.ts'
import { benchClock } from '../rig/fleet.ts'
import { liveBytes } from '../rig/heap.ts'
import { flatKeyNames } from '../rig/keys.ts'
import { loadPeer } from '../rig/peers.ts'

const KEYS = 100_000
const REHEARSED = 20_000
const PER_MINUTE = 60
const FIRST = 'after one hit'
const FULL = 'full'

/** Takes one hit of a key. */
type Hit = (key: string) => unknown

export const memoryTables: readonly Table[] = [
  {
    name: 'memory of a limiter key',
    about: `Bytes for each of ${KEYS.toLocaleString('en')} keys, their strings aside: 60 a minute, after one hit, and ours after 60: a fixed window holds no more. What a limiter holds before its first key is apart.`,
    heavy: true,
    gauges: [
      keyGauge('ostler', 'ours', async () => ostlerHit()),
      // What they hold is the same in each process.
      { ...keyGauge('fast-ratelimit', 'peer', fastHit), processes: 1 },
      { ...keyGauge('@fastify/rate-limit, local store', 'peer', localHit), processes: 1 },
      { ...keyGauge('rate-limiter-flexible, memory', 'peer', flexibleHit), processes: 1 },
      { ...keyGauge('express-rate-limit, memory store', 'peer', expressHit), processes: 1 },
      { ...keyGauge('limiter', 'peer', bucketHit), processes: 1 },
    ],
    bounds: [
      { row: `ostler, ${FIRST}`, most: 64 },
      { row: `ostler, ${FULL}`, most: 320 },
    ],
  },
]

function keyGauge(name: string, kind: Kind, limiter: () => Promise<Hit>): Gauge {
  return {
    name,
    kind,
    async measure(): Promise<readonly Figure[]> {
      const keys = flatKeyNames(KEYS)
      // A key's hash is kept in the string itself: not the limiter's to pay.
      new Set(keys).clear()
      // Machine code is not of the keys either: another limiter has it made first.
      const other = await limiter()
      for (const key of keys.slice(0, REHEARSED)) await other(key)
      const nothing = await liveBytes()
      const hit = await limiter()
      // What holds the keys, such as a whole scheduler with its fleet and views, is told apart.
      const before = await liveBytes()
      for (const key of keys) await hit(key)
      const first = ((await liveBytes()) - before) / KEYS
      if (kind === 'peer') return [{ name: `${name}, ${FIRST}`, unit: 'bytes', value: first }]
      for (let i = 1; i < PER_MINUTE; i++) for (const key of keys) await hit(key)
      const full = ((await liveBytes()) - before) / KEYS
      if (keys.length !== KEYS || (await hit(keys[0])) !== false)
        throw new Error('a key is not full')
      return [
        { name: `${name}, without a key`, unit: 'MB', value: (before - nothing) / 1e6 },
        { name: `${name}, ${FIRST}`, unit: 'bytes', value: first },
        { name: `${name}, ${FULL}`, unit: 'bytes', value: full },
      ]
    },
  }
}

/** Each hit of a key at another instant: the log of a full one holds 60 of them. */
function ostlerHit(): Hit {
  const clock = benchClock()
  const scheduler = new Scheduler({
    store: memoryStore({ maxKeys: KEYS, seed: 7 }),
    clock,
    tiers: { free: { policies: [{ name: 'free', limit: PER_MINUTE, windowMs: 60_000 }] } },
  })
  let calls = 0
  return (key) => {
    if (++calls % KEYS === 0) clock.ms += 900
    return scheduler.admit({ key, tier: 'free' }).allowed
  }
}

async function fastHit(): Promise<Hit> {
  const { FastRateLimit } = await loadPeer<{
    FastRateLimit: new (options: object) => { consumeSync: Hit }
  }>('fast-ratelimit')
  const limiter = new FastRateLimit({ threshold: PER_MINUTE, ttl: 60 })
  return (key) => limiter.consumeSync(key)
}

async function localHit(): Promise<Hit> {
  const { default: LocalStore } = await loadPeer<{
    default: new (
      exceeding: boolean,
      backoff: boolean,
      cache: number,
    ) => {
      incr(key: string, done: () => void, ms: number, max: number): void
    }
  }>('@fastify/rate-limit/store/LocalStore.js')
  const limiter = new LocalStore(false, false, KEYS)
  return (key) => limiter.incr(key, () => undefined, 60_000, PER_MINUTE)
}

async function flexibleHit(): Promise<Hit> {
  const { RateLimiterMemory } = await loadPeer<{
    RateLimiterMemory: new (options: object) => { consume(key: string): Promise<unknown> }
  }>('rate-limiter-flexible')
  const limiter = new RateLimiterMemory({ points: PER_MINUTE, duration: 60 })
  return (key) => limiter.consume(key).catch(() => undefined)
}

async function expressHit(): Promise<Hit> {
  const { MemoryStore } = await loadPeer<{
    MemoryStore: new () => { init(options: object): void; increment: Hit }
  }>('express-rate-limit')
  const limiter = new MemoryStore()
  limiter.init({ windowMs: 600_000 })
  return (key) => limiter.increment(key)
}

async function bucketHit(): Promise<Hit> {
  const { RateLimiter } = await loadPeer<{
    RateLimiter: new (options: object) => { tryRemoveTokens(count: number): boolean }
  }>('limiter')
  type Bucket = InstanceType<typeof RateLimiter>
  const buckets = new Map<string, Bucket>()
  return (key) => {
    const known = buckets.get(key)
    if (known !== undefined) return known.tryRemoveTokens(1)
    const bucket = new RateLimiter({ tokensPerInterval: PER_MINUTE, interval: 'minute' })
    buckets.set(key, bucket)
    return bucket.tryRemoveTokens(1)
  }
}
