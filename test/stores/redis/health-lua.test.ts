import {
  hash32,
  join,
  observe,
  stateAt,
  transition,
  trip,
  type AgentBreaker,
  type BreakerPolicy,
  type DomainEvent,
  type IncidentPolicy,
  type PairEvent,
  type PairRecord,
  type Watch,
} from '@ostler/core'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeRecord, encodeRecord } from '../../../packages/store-redis/src/health-codec.ts'
import {
  breakerPolicyText,
  healthPolicyText,
  incidentPolicyText,
} from '../../../packages/store-redis/src/policy-codec.ts'
import { startRedis, type RedisServer } from '../../servers/redis.ts'
import { runLua } from './lua.ts'
import {
  eventArbitrary,
  instantArbitrary,
  KINDS,
  nameArbitrary,
  policyArbitrary,
  recordArbitrary,
  T,
} from './records.ts'
import { seed } from '../../properties/replay.ts'

let server: RedisServer
let client: Redis

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.port)
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

/** Compares TypeScript and Lua over batches of cases, each batch one EVAL. */
async function compare<T>(
  arbitrary: fc.Arbitrary<T>,
  libs: readonly string[],
  body: string,
  argsOf: (one: T) => readonly (string | number)[],
  expected: (one: T) => unknown,
  batches = 40,
): Promise<void> {
  const property = fc.asyncProperty(
    fc.array(arbitrary, { minLength: 1, maxLength: 150, size: 'max' }),
    async (cases) => {
      const answers = await runLua(client, libs, body, [], cases.flatMap(argsOf))
      expect(answers).toEqual(cases.map(expected))
    },
  )
  await fc.assert(property, { seed, numRuns: batches })
}

/** Calls `one(first, ...)` for each `width` arguments, and answers what it answers. */
const eachOf = (width: number, one: string): string => `
  local answers = {}
  for i = 1, #ARGV, ${width} do
    answers[#answers + 1] = (function(${'abcdefghijklmnop'.slice(0, width).split('').join(', ')})
      ${one}
    end)(unpack(ARGV, i, i + ${width - 1}))
  end
  return answers`

const textOf = (record: PairRecord | null): string => (record === null ? '' : encodeRecord(record))
const orNull = fc.option(recordArbitrary, { freq: 6 })

describe('the Lua of health', () => {
  it('hashes as hash32 does, whatever the characters', async () => {
    await compare(
      fc.tuple(nameArbitrary, fc.nat(0xffff_ffff)),
      ['hash'],
      eachOf(2, 'return digits(hash32(a, tonumber(b)))'),
      (one) => one,
      ([text, from]) => String(hash32(text, from)),
    )
  })

  it('reads and writes records as TypeScript does', async () => {
    await compare(
      recordArbitrary,
      ['record'],
      eachOf(1, 'return encode_record(decode_record(a))'),
      (record) => [encodeRecord(record)],
      (record) => {
        const text = encodeRecord(record)
        expect(decodeRecord(text)).toEqual(record)
        return text
      },
    )
  })

  it('says of a record at an instant what stateAt says', async () => {
    await compare(
      fc.tuple(orNull, instantArbitrary),
      ['record'],
      eachOf(
        2,
        `local health, phase, until_ms = state_at(a ~= '' and decode_record(a) or nil, tonumber(b))
         return { health, phase or '', digits(until_ms or 0) }`,
      ),
      ([record, atMs]) => [textOf(record), atMs],
      ([record, atMs]) => {
        const state = stateAt(record, atMs)
        if (state.health === 'available') return [0, '', '0']
        if (state.health === 'limited') return [1, '', String(state.untilMs)]
        return [2, state.phase, String(state.untilMs)]
      },
    )
  })

  it('joins as join does', async () => {
    // Copies of one record that differ in a few fields meet in all the others.
    const copies = fc
      .tuple(
        recordArbitrary,
        recordArbitrary,
        fc.subarray(Object.keys(fc.sample(recordArbitrary, 1)[0])),
      )
      .map(([a, b, fields]) => {
        const copy: Record<string, unknown> = { ...a }
        for (const field of fields) copy[field] = b[field as keyof PairRecord]
        for (const field of fields) if (copy[field] === undefined) delete copy[field]
        return [a, copy as unknown as PairRecord] as const
      })
    await compare(
      fc.oneof(fc.tuple(orNull, orNull), copies),
      ['hash', 'record', 'join'],
      eachOf(
        2,
        `local joined = join(a ~= '' and decode_record(a) or nil, b ~= '' and decode_record(b) or nil)
         return joined and encode_record(joined) or ''`,
      ),
      ([a, b]) => [textOf(a), textOf(b)],
      ([a, b]) => textOf(join(a, b)),
    )
  })

  it('moves records as transition does, and says where nothing changed', async () => {
    const one = `
      local at, policy, after = tonumber(b), health_policy(c), nil
      local before = a ~= '' and decode_record(a) or nil
      if before and at >= before.forget_at_ms then before = nil end
      if d == 'outcome' then
        after = after_outcome(before, {
          outcome = e, retry_after_ms = tonumber(f), epoch = tonumber(g), lease = h,
          capped = i == '1', exit = j, domain = k,
        }, at, policy)
      elseif d == 'probe' then
        local _, phase = state_at(before, at)
        after = phase == 'probation' and probed(before, h, tonumber(f), at, policy.strike_decay_ms) or before
      else
        after = by_hand(before, tonumber(f), at)
      end
      return { after == before and 1 or 0, after and encode_record(after) or '' }`
    await compare(
      fc
        .tuple(orNull, instantArbitrary, policyArbitrary, eventArbitrary)
        .map(([record, atMs, policy, event]) => {
          const rung = Math.min(record?.rung ?? 0, policy.ladder.length)
          return [record && { ...record, rung }, atMs, policy, event] as const
        }),
      ['hash', 'record', 'keep', 'transition'],
      eachOf(11, one),
      ([record, atMs, policy, event]) => [
        textOf(record),
        atMs,
        healthPolicyText(policy),
        ...argsOfEvent(event),
      ],
      ([record, atMs, policy, event]) => {
        const known = record !== null && atMs < record.forgetAtMs ? record : null
        const after = transition(known, event, atMs, policy)
        return [after === known ? 1 : 0, textOf(after)]
      },
      120,
    )
  })

  it('trips breakers as trip does', async () => {
    const policyArbitrary: fc.Arbitrary<BreakerPolicy> = fc.record({
      threshold: fc.integer({ min: 1, max: 5 }),
      restMs: fc.integer({ min: 1, max: 86_400_000 }),
      maxRestMs: fc.constantFrom(86_400_000),
    })
    const breakerArbitrary: fc.Arbitrary<AgentBreaker> = fc.record({
      failures: fc.oneof(fc.nat(60), fc.constantFrom(999_999, 1_000_000)),
      downUntilMs: fc.oneof(fc.constant(0), instantArbitrary),
    })
    const told = (breaker: AgentBreaker | null): string =>
      breaker === null ? '' : `${breaker.failures},${breaker.downUntilMs}`
    await compare(
      fc.tuple(
        fc.option(breakerArbitrary),
        fc.constantFrom(...KINDS),
        fc.integer({ min: 0, max: 2 * T }),
        policyArbitrary,
      ),
      ['breaker'],
      eachOf(4, `return trip(a ~= '' and a or nil, b, tonumber(c), d) or ''`),
      ([breaker, kind, atMs, policy]) => [told(breaker), kind, atMs, breakerPolicyText(policy)],
      ([breaker, kind, atMs, policy]) => told(trip(breaker, kind, atMs, policy)),
    )
  })

  it('watches domains as observe does, step by step', async () => {
    const body = `
      local answers, keys = {}, {}
      for i = 1, 7 do keys[i] = KEYS[i] end
      for i = 1, #ARGV, 8 do
        local exit, outcome, newly, dispatched, flying, at, policy, exits = unpack(ARGV, i, i + 7)
        local meta = open_meta(keys[1], { at, '7', '1000' })
        local domain = open_domain(meta, keys, 2)
        local event = {
          outcome = outcome, newly_excluded = newly == '1', dispatched = tonumber(dispatched),
          in_flight = function() return tonumber(flying) end,
          is_failing = function() return redis.call('SISMEMBER', domain.failing, exit) == 1 end,
        }
        local watch = observe(domain.watch, event, meta.at, incident_policy(policy, exits))
        set_watch(meta, domain, watch, exit)
        local failing = watch and not watch.open and watch.failing > 0
        local exits = failing and redis.call('SMEMBERS', domain.failing) or {}
        table.sort(exits)
        answers[#answers + 1] = {
          encode_watch(watch), table.concat(exits, '|'), digits(domain.version - meta.base),
        }
      end
      return answers`
    const event = fc.record({
      exit: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
      outcome: fc.constantFrom(...KINDS, 'blocked', 'target_error', 'rate_limited'),
      newly: fc.boolean(),
      dispatched: fc.nat(3),
      inFlight: fc.nat(9),
      spanMs: fc.constantFrom(0, 0, 1, 4_999, 5_000, 20_000, 60_000, 3_599_999, 3_600_000),
    })
    const policies: fc.Arbitrary<IncidentPolicy> = fc.record({
      minExclusions: fc.integer({ min: 1, max: 4 }),
      exclusionShare: fc.double({ min: 0, max: 1, noNaN: true }),
      minFailures: fc.integer({ min: 1, max: 6 }),
      failureShare: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    const property = fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 80, size: 'max' }),
      policies,
      fc.integer({ min: 1, max: 40 }),
      async (events, policy, exits) => {
        await client.flushall()
        const keys = ['meta', 'm', 'd', 'v', 'o', 'i', 's'].map((part) => `{x}${part}`)
        const [args, expected] = followed(events, policy, exits)
        const libs = ['meta', 'record', 'incident', 'domain', 'observe', 'watch']
        const answers = (await runLua(client, libs, body, keys, args)) as string[][]
        expect(answers.map(([watch, failing]) => [watch, failing])).toEqual(expected)
      },
    )
    await fc.assert(property, { seed, numRuns: 150 })
  })
})

interface Told {
  readonly exit: string
  readonly outcome: DomainEvent['outcome']
  readonly newly: boolean
  readonly dispatched: number
  readonly inFlight: number
  readonly spanMs: number
}

/** The arguments of a run of events, and what `observe` says after each. */
function followed(
  events: readonly Told[],
  policy: IncidentPolicy,
  exits: number,
): [(string | number)[], string[][]] {
  const args: (string | number)[] = []
  const expected: string[][] = []
  let watch: Watch | null = null
  let [atMs, dispatched] = [T, 0]
  for (const { exit, outcome, newly, inFlight, spanMs, dispatched: more } of events) {
    atMs += spanMs
    dispatched += more
    const newlyExcluded = newly
    watch = observe(
      watch,
      { exit, outcome, newlyExcluded, dispatched, inFlight },
      atMs,
      policy,
      exits,
    )
    args.push(exit, outcome, newly ? 1 : 0, dispatched, inFlight, atMs)
    args.push(incidentPolicyText(policy), exits)
    const failing = watch?.kind === 'watching' ? watch.failing.toSorted().join('|') : ''
    expected.push([watchText(watch), failing])
  }
  return [args, expected]
}

function watchText(watch: Watch | null): string {
  if (watch === null) return ''
  if (watch.kind === 'open') {
    return `o,${watch.openedAtMs},${watch.cause === 'exclusions' ? 1 : 0},${watch.lastEventMs}`
  }
  const { bucket, triedFrom, lastEventMs, failing, buckets } = watch
  return `w,${bucket},${triedFrom},${lastEventMs},${failing.length},${buckets.join(',')}`
}

function argsOfEvent(event: PairEvent): (string | number)[] {
  switch (event.kind) {
    case 'outcome': {
      const { outcome, epoch, leaseId, capped, exit, domain } = event
      const retry = outcome.retryAfterMs ?? ''
      return ['outcome', outcome.kind, retry, epoch, leaseId, capped ? 1 : 0, exit, domain]
    }
    case 'probe':
      return ['probe', '', event.deadlineMs, '', event.leaseId, '', '', '']
    case 'exclude':
      return ['exclude', '', event.untilMs, '', '', '', '', '']
    default:
      return ['restore', '', '', '', '', '', '', '']
  }
}
