import { hash32 } from '../../../packages/core/src/random.ts'
import type { ResolvedPolicy } from '../../../packages/core/src/limit/policy.ts'
import type {
  ConsumeRequest,
  RefundRequest,
  Usage,
  Verdict,
} from '../../../packages/core/src/store/store.ts'

/** What a key or a lane has of one policy name: one number per unit of cost, or a TAT as a fraction. */
interface Log {
  windowMs: number
  hits: number[]
  tat: { ms: bigint; limit: number; windowMs: number; sinceMs: number } // in 1/limit ms
}

/** The keys of one name and kind, most recently admitted first. */
interface Table {
  keys: { key: string; log: Log }[]
  lanes: Map<number, Log>
}

interface Answer {
  retryMs: number
  limit: number
  remaining: number
  resetAtMs: number
}

interface Held {
  key: string
  id: string
  deadlineMs: number
}

const big = BigInt
const later = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const freshLog = (): Log => ({
  windowMs: 0,
  hits: [],
  tat: { ms: 0n, limit: 1, windowMs: 1, sinceMs: 0 },
})

/** The limiter, written for the eye: arrays, loops, fractions. It forgets nothing that it may not. */
export class NaiveLimits {
  lastMs = 0
  tables = new Map<string, Table>()
  held: Held[] = []
  ops: { key: string; opId: string; cost: number; untilMs: number; verdict: Verdict }[] = []
  maxKeys: number
  maxPermits: number
  seed: number

  constructor(maxKeys: number, maxPermits: number, seed: number) {
    this.maxKeys = maxKeys
    this.maxPermits = maxPermits
    this.seed = seed
  }

  consume(request: ConsumeRequest, write: boolean): Verdict {
    const { key, policies, cost, permit, opId } = request
    const nowMs = Math.max(request.nowMs, this.lastMs)
    const op = this.ops.find((o) => o.key === key && o.opId === opId && o.untilMs > nowMs)
    if (opId !== undefined && op !== undefined) return op.verdict
    const answers = policies.map((p) => ({ policy: p.name, ...this.answer(key, p, cost, nowMs) }))
    if (permit !== undefined) {
      const waitMs = Math.max(0, ...answers.map((a) => a.retryMs))
      answers.push({ policy: 'permits', ...this.permitAnswer(request, nowMs, waitMs) })
    }
    const never = (a: Answer): number => (a.retryMs === -1 ? Infinity : a.retryMs)
    const worst = Math.max(0, ...answers.map(never))
    const least = Math.min(...answers.map((a) => a.remaining))
    const binding = answers.find((a) =>
      worst > 0 ? never(a) === worst : a.remaining === least,
    ) ?? {
      policy: 'none',
      limit: 2147483647,
      remaining: 2147483647,
      resetAtMs: nowMs,
      retryMs: 0,
    }
    const { retryMs, ...rest } = binding
    const verdict = { allowed: worst === 0, ...rest, retryAfterMs: retryMs, atMs: nowMs }
    if (!write || !verdict.allowed) return verdict
    for (const policy of policies) this.count(key, policy, cost, nowMs)
    if (permit !== undefined) this.hold(key, permit.id, permit.deadlineMs, nowMs)
    if (opId !== undefined) {
      const ends = policies.map((p) => nowMs + p.windowMs)
      const untilMs = Math.max(permit?.deadlineMs ?? 0, ...ends)
      this.ops = this.ops.filter((o) => o.key !== key || o.opId !== opId)
      this.ops.push({ key, opId, cost, untilMs, verdict })
    }
    this.lastMs = nowMs
    return verdict
  }

  refund(request: RefundRequest): boolean {
    const { key, policies, cost, atMs, opId } = request
    const nowMs = Math.max(request.nowMs, this.lastMs)
    if (opId !== undefined) {
      const op = this.ops.find((o) => o.key === key && o.opId === opId && o.untilMs > nowMs)
      if (op === undefined || op.cost < cost || op.verdict.atMs !== atMs) return false
    }
    let given = false
    for (const policy of policies) {
      if (this.giveBack(key, policy, cost, atMs, nowMs)) given = true
    }
    if (!given) return false
    this.ops = this.ops.filter((o) => opId === undefined || o.key !== key || o.opId !== opId)
    this.lastMs = nowMs
    return true
  }

  usage(key: string, policies: readonly ResolvedPolicy[], atMs: number): Usage[] {
    const nowMs = Math.max(atMs, this.lastMs)
    return policies.map((policy) => {
      const { limit, resetAtMs, remaining } = this.answer(key, policy, Infinity, nowMs)
      const used = policy.kind === 'smooth' ? limit - remaining : this.used(key, policy, nowMs)
      return { policy: policy.name, limit, used, remaining, resetAtMs }
    })
  }

  permits(key: string, atMs: number): number {
    const nowMs = Math.max(atMs, this.lastMs)
    return this.held.filter((h) => h.key === key && h.deadlineMs > nowMs).length
  }

  renew(key: string, id: string, deadlineMs: number, atMs: number): boolean {
    const nowMs = Math.max(atMs, this.lastMs)
    const own = this.held.find((h) => h.key === key && h.id === id && h.deadlineMs > nowMs)
    if (own === undefined) return false
    own.deadlineMs = deadlineMs
    this.lastMs = nowMs
    return true
  }

  release(key: string, id: string, atMs: number): boolean {
    return this.renew(key, id, 0, atMs)
  }

  // ---- one policy ------------------------------------------------------------------------------

  table(policy: ResolvedPolicy): Table {
    const name = `${policy.kind} ${policy.name}`
    const table = this.tables.get(name) ?? { keys: [], lanes: new Map<number, Log>() }
    this.tables.set(name, table)
    return table
  }

  lane(key: string): number {
    return hash32(key, this.seed) & 1023
  }

  idleAtMs(policy: ResolvedPolicy, log: Log): number {
    if (policy.kind === 'exact') return Math.max(-1, ...log.hits) + log.windowMs
    return Number((log.tat.ms + big(log.tat.limit) - 1n) / big(log.tat.limit))
  }

  find(key: string, policy: ResolvedPolicy, nowMs: number): { log: Log; lane: boolean } {
    const table = this.table(policy)
    const own = table.keys.find((k) => k.key === key)
    if (own !== undefined) return { log: own.log, lane: false }
    const lane = table.lanes.get(this.lane(key))
    if (lane !== undefined && this.idleAtMs(policy, lane) > nowMs) return { log: lane, lane: true }
    return { log: freshLog(), lane: false }
  }

  countsMs(key: string, policy: ResolvedPolicy, nowMs: number): number {
    const { log, lane } = this.find(key, policy, nowMs)
    return lane ? log.windowMs : Math.min(policy.windowMs, log.windowMs)
  }

  live(key: string, policy: ResolvedPolicy, nowMs: number): number[] {
    const countsMs = this.countsMs(key, policy, nowMs)
    return this.find(key, policy, nowMs).log.hits.filter((e) => e > nowMs - countsMs)
  }

  used(key: string, policy: ResolvedPolicy, nowMs: number): number {
    return this.live(key, policy, nowMs).length
  }

  answer(key: string, policy: ResolvedPolicy, cost: number, nowMs: number): Answer {
    if (policy.kind === 'smooth') return this.smoothAnswer(key, policy, cost, nowMs)
    const { limit } = policy
    const live = this.live(key, policy, nowMs)
    const countsMs = this.countsMs(key, policy, nowMs)
    const fits = (ms: number): boolean =>
      live.filter((e) => e > ms - countsMs).length + cost <= limit
    if (cost > limit || !fits(nowMs)) {
      const instants = live.map((e) => e + countsMs).sort((a, b) => a - b)
      const at = instants.find((ms) => fits(ms))
      const retryMs = at === undefined || cost > limit ? -1 : at - nowMs
      const resetAtMs = instants.at(-1) ?? nowMs
      return { retryMs, limit, remaining: Math.max(0, limit - live.length), resetAtMs }
    }
    const { log, lane } = this.find(key, policy, nowMs)
    const windowMs = lane ? Math.max(log.windowMs, policy.windowMs) : policy.windowMs
    const newestMs = Math.max(effective(nowMs, policy.quantumMs), ...live)
    const remaining = limit - live.length - cost
    return { retryMs: 0, limit, remaining, resetAtMs: newestMs + windowMs }
  }

  count(key: string, policy: ResolvedPolicy, cost: number, nowMs: number): void {
    const hits = this.live(key, policy, nowMs)
    const { log, lane } = this.claim(key, policy, cost, nowMs)
    if (policy.kind === 'exact') {
      for (let i = 0; i < cost; i++) hits.push(effective(nowMs, policy.quantumMs))
      log.windowMs = lane ? Math.max(log.windowMs, policy.windowMs) : policy.windowMs
      log.hits = hits
    } else log.tat = smoothAdmit(log.tat, policy, cost, nowMs)
  }

  /** The log that an admitted call is counted in: the key's own, its lane's, or an evicted key's. */
  claim(
    key: string,
    policy: ResolvedPolicy,
    cost: number,
    nowMs: number,
  ): { log: Log; lane: boolean } {
    const table = this.table(policy)
    const own = table.keys.findIndex((k) => k.key === key)
    if (own >= 0) {
      table.keys.unshift(...table.keys.splice(own, 1))
      return { log: table.keys[0].log, lane: false }
    }
    const found = this.find(key, policy, nowMs)
    if (found.lane) return found
    const log = freshLog()
    const next =
      policy.kind === 'exact'
        ? effective(nowMs, policy.quantumMs) + policy.windowMs
        : this.idleAtMs(policy, { ...log, tat: smoothAdmit(log.tat, policy, cost, nowMs) })
    for (let look = 0; look < 8 && table.keys.length >= this.maxKeys; look++) {
      const last = table.keys.pop() as { key: string; log: Log }
      const idleMs = this.idleAtMs(policy, last.log)
      if (idleMs <= nowMs) break
      if (idleMs > next) table.keys.unshift(last)
      else {
        table.keys.push(last)
        break
      }
    }
    if (table.keys.length < this.maxKeys) table.keys.unshift({ key, log })
    else table.lanes.set(this.lane(key), log)
    return { log, lane: false }
  }

  giveBack(
    key: string,
    policy: ResolvedPolicy,
    cost: number,
    atMs: number,
    nowMs: number,
  ): boolean {
    const table = this.table(policy)
    const own = table.keys.find((k) => k.key === key)
    if (own === undefined) return false
    const { log } = own
    if (policy.kind === 'exact') {
      const e = effective(atMs, policy.quantumMs)
      const live = this.live(key, policy, nowMs)
      if (live.filter((hit) => hit === e).length < cost) return false
      for (let i = 0; i < cost; i++) log.hits.splice(log.hits.indexOf(e), 1)
      if (log.hits.length > 0) return true
    } else {
      const { limit, windowMs } = policy
      const sameRate = log.tat.limit === limit && log.tat.windowMs === windowMs
      if (!sameRate || cost > policy.burst || atMs < log.tat.sinceMs || atMs > nowMs) return false
      const floor = big(nowMs) * big(limit)
      const back = big(cost) * big(windowMs) - big(nowMs - atMs) * big(limit)
      if (back <= 0n || log.tat.ms <= floor) return false
      log.tat.ms = later(log.tat.ms - back, floor)
      if (log.tat.ms > floor) return true
    }
    table.keys = table.keys.filter((k) => k !== own)
    return true
  }

  smoothAnswer(
    key: string,
    policy: Extract<ResolvedPolicy, { kind: 'smooth' }>,
    cost: number,
    nowMs: number,
  ): Answer {
    const { burst, limit, windowMs } = policy
    const { tat } = this.find(key, policy, nowMs).log
    const units = converted(tat, limit)
    const fits = (ms: number, c: number): boolean => {
      const ahead = later(units - big(ms) * big(limit), 0n)
      return c <= burst && ahead + big(c) * big(windowMs) <= big(burst) * big(windowMs)
    }
    const most = (add: number): number => {
      let left = burst
      while (left > 0 && !fits(nowMs, left + add)) left--
      return left
    }
    const restored = (at: bigint): number =>
      Math.max(nowMs, Number((at + big(limit) - 1n) / big(limit)))
    if (fits(nowMs, cost)) {
      const after = smoothAdmit(tat, policy, cost, nowMs)
      return { retryMs: 0, limit: burst, remaining: most(cost), resetAtMs: restored(after.ms) }
    }
    let retryMs = -1
    if (cost <= burst) {
      let low = 0
      let high = Number(units / big(limit)) + 1 - nowMs
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2)
        if (fits(nowMs + middle, cost)) high = middle
        else low = middle
      }
      retryMs = high
    }
    return { retryMs, limit: burst, remaining: most(0), resetAtMs: restored(units) }
  }

  // ---- permits ---------------------------------------------------------------------------------

  permitAnswer(request: ConsumeRequest, nowMs: number, waitMs: number): Answer {
    const { id, cap, deadlineMs } = request.permit as {
      id: string
      cap: number
      deadlineMs: number
    }
    const all = this.held.filter((h) => h.deadlineMs > nowMs)
    const own = all.filter((h) => h.key === request.key)
    const deadlines = own.map((h) => h.deadlineMs)
    const known = own.some((h) => h.id === id && h.deadlineMs > nowMs + waitMs)
    const free = (ms: number): boolean =>
      deadlines.filter((d) => d > ms).length < cap &&
      all.filter((h) => h.deadlineMs > ms).length < this.maxPermits
    if (!known && !free(nowMs)) {
      const instants = all.map((h) => h.deadlineMs).sort((a, b) => a - b)
      const at = instants.find((ms) => free(ms))
      return {
        retryMs: at === undefined ? -1 : at - nowMs,
        limit: cap,
        remaining: Math.max(0, cap - own.length),
        resetAtMs: Math.max(nowMs, ...deadlines),
      }
    }
    const again = own.some((h) => h.id === id)
    const heldAfter = own.length + (again || deadlineMs <= nowMs ? 0 : 1)
    const resetAtMs = Math.max(nowMs, deadlineMs, ...deadlines)
    return { retryMs: 0, limit: cap, remaining: Math.max(0, cap - heldAfter), resetAtMs }
  }

  hold(key: string, id: string, deadlineMs: number, nowMs: number): void {
    const own = this.held.find((h) => h.key === key && h.id === id && h.deadlineMs > nowMs)
    if (own !== undefined) own.deadlineMs = Math.max(own.deadlineMs, deadlineMs)
    else this.held.push({ key, id, deadlineMs })
  }
}

function effective(nowMs: number, quantumMs: number): number {
  return nowMs - (nowMs % quantumMs) + quantumMs - 1
}

/** A TAT in units of 1/limit ms; of another limit's, rounded up to a whole ms. */
function converted(tat: Log['tat'], limit: number): bigint {
  if (tat.limit === limit) return tat.ms
  return ((tat.ms + big(tat.limit) - 1n) / big(tat.limit)) * big(limit)
}

function smoothAdmit(
  tat: Log['tat'],
  policy: { limit: number; windowMs: number },
  cost: number,
  nowMs: number,
): Log['tat'] {
  const { limit, windowMs } = policy
  const floor = big(nowMs) * big(limit)
  const from = converted(tat, limit)
  const sameRate = tat.limit === limit && tat.windowMs === windowMs
  const sinceMs = from <= floor ? nowMs : sameRate ? tat.sinceMs : nowMs + 1
  return { ms: later(from, floor) + big(cost) * big(windowMs), limit, windowMs, sinceMs }
}
