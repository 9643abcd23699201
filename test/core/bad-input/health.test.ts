import { describe, expect, test } from 'vitest'
import type { Lease, Outcome } from '@ostler/core'
import {
  bad,
  expectRefusal,
  fingerprint,
  inUse,
  NOW_MS,
  refuses,
  SECRET,
  thrownBy,
  WITH_CREDENTIALS,
  type Row,
} from './rig.ts'

const LEASE = /report takes the lease of a pick, got /
const FIELDS: readonly (readonly [keyof Lease, readonly unknown[]])[] = [
  ['id', [undefined, '', 5, 'a\nb', 'x'.repeat(129)]],
  ['agentId', [undefined, '', 5]],
  ['exit', [undefined, '', null]],
  ['domain', [undefined, '', 5, '*', 'Shop.Example', `me:${SECRET}@a`, 'x'.repeat(1e6)]],
  ['epoch', [undefined, -1, 0.5, NaN, '0', 1n]],
  ['pickedAtMs', [undefined, NaN, -1]],
  ['deadlineMs', [undefined, Infinity, null]],
  ['probe', [undefined, null, 1, 'true']],
]

describe('report refuses a lease', () => {
  refuses([
    ...[undefined, null, 'lease', 5, {}, []].map((lease): Row => ({
      name: `that is ${JSON.stringify(lease)}`,
      call: ({ scheduler }) => scheduler.report(bad(lease), { kind: 'blocked' }),
      code: 'INVALID_LEASE',
      says: LEASE,
    })),
    ...FIELDS.flatMap(([field, values]) =>
      values.map((value): Row => ({
        name: `whose ${field} is ${String(value).slice(0, 20)} (${typeof value})`,
        call: ({ scheduler, lease }) =>
          scheduler.report(bad({ ...lease, [field]: value }), { kind: 'blocked' }),
        code: 'INVALID_LEASE',
        says: LEASE,
      })),
    ),
  ])
})

const KIND = /outcome\.kind must be one of ok, rate_limited, .*neutral, got /
const SHAPE = /outcome must be \{ kind, \.\.\. \}, got /
const OUTCOMES: readonly (readonly [string, unknown, RegExp])[] = [
  ['nothing', undefined, SHAPE],
  ['null', null, SHAPE],
  ['a kind alone', 'blocked', SHAPE],
  [
    'a misspelt field',
    { kind: 'ok', latency: 3 },
    /has "latency", which is not a field of an outcome: kind, /,
  ],
  ['no kind', {}, /outcome\.kind must be one of .*got undefined/],
  ['an unknown kind', { kind: 'banned' }, /got "banned"/],
  ['toString for a kind', { kind: 'toString' }, /got "toString"/],
  ['a proxy url for a kind', { kind: WITH_CREDENTIALS }, KIND],
  ['a number for evidence', { kind: 'blocked', evidence: 5 }, /evidence must be a string, got 5/],
  ['null for evidence', { kind: 'blocked', evidence: null }, /evidence must be a string, got null/],
  ['a negative retryAfterMs', { kind: 'rate_limited', retryAfterMs: -1 }, /retryAfterMs .*got -1/],
  ['NaN for retryAfterMs', { kind: 'rate_limited', retryAfterMs: NaN }, /0 or more, got NaN/],
  ['text for retryAfterMs', { kind: 'rate_limited', retryAfterMs: '5' }, /retryAfterMs .*got "5"/],
  ['endless latency', { kind: 'ok', latencyMs: Infinity }, /latencyMs .*0 or more, got Infinity/],
  ['a negative latency', { kind: 'ok', latencyMs: -5 }, /outcome\.latencyMs .*got -5/],
  ['null for latency', { kind: 'ok', latencyMs: null }, /outcome\.latencyMs .*got null/],
]

describe('report refuses an outcome:', () => {
  refuses(
    OUTCOMES.map(([name, outcome, says]) => ({
      name,
      call: ({ scheduler, lease }) => scheduler.report(lease, bad(outcome)),
      code: 'INVALID_OUTCOME',
      says,
    })),
  )
})

const UNTIL = /untilMs must be an integer from 1200000001 to 9007199254740991, got /
const LATER_MS = NOW_MS + 1000
const NO_INSTANTS = [undefined, null, 0, NOW_MS, LATER_MS + 0.5, NaN, Infinity, '2e12', 2n ** 41n]
const NO_AGENTS = [undefined, null, '', 'x', 5, Symbol('de1'), {}, '__proto__', WITH_CREDENTIALS]
const NO_DOMAINS = [
  undefined,
  null,
  '',
  5,
  {},
  Symbol('d'),
  '**',
  'file:///x',
  'a b',
  `http://:${SECRET}@`,
]

describe('exclude and restore refuse', () => {
  refuses([
    ...NO_INSTANTS.map((untilMs): Row => ({
      name: `exclude until ${String(untilMs)} (${typeof untilMs})`,
      call: ({ scheduler }) => scheduler.exclude('de1', 'shop.example', bad(untilMs)),
      code: 'INVALID_REQUEST',
      says: UNTIL,
    })),
    ...NO_AGENTS.flatMap((id): Row[] => [
      {
        name: `exclude of the agent ${String(id)} (${typeof id})`,
        call: ({ scheduler }) => scheduler.exclude(bad(id), 'shop.example', LATER_MS),
        code: 'UNKNOWN_AGENT',
        says: /the fleet has no agent /,
      },
      {
        name: `restore of the agent ${String(id)} (${typeof id})`,
        call: ({ scheduler }) => scheduler.restore(bad(id), 'shop.example'),
        code: 'UNKNOWN_AGENT',
        says: /the fleet has no agent /,
      },
    ]),
    ...NO_DOMAINS.flatMap((domain): Row[] => [
      {
        name: `exclude from ${String(domain)} (${typeof domain})`,
        call: ({ scheduler }) => scheduler.exclude('de1', bad(domain), LATER_MS),
        code: 'INVALID_TARGET',
        says: /^target .*(must be|no valid host)/,
      },
      {
        name: `restore for ${String(domain)} (${typeof domain})`,
        call: ({ scheduler }) => scheduler.restore('de1', bad(domain)),
        code: 'INVALID_TARGET',
        says: /^target .*(must be|no valid host)/,
      },
    ]),
  ])
})

const PAGES: readonly (readonly [string, unknown, RegExp])[] = [
  ['null', null, /page must be \{ offset\?, limit\? \}, got null/],
  ['a number', 5, /page must be \{ offset\?, limit\? \}, got 5/],
  ['a misspelt field', { limits: 5 }, /is not a field of a page: offset, limit/],
  ['a negative offset', { offset: -1 }, /offset .*from 0 .*got -1/],
  ['half an offset', { offset: 0.5 }, /offset .*got 0\.5/],
  ['NaN for an offset', { offset: NaN }, /offset .*got NaN/],
  ['null for an offset', { offset: null }, /offset .*got null/],
  ['a limit of 0', { limit: 0 }, /limit .*1 to 1000, got 0/],
  ['a limit of 1001', { limit: 1001 }, /limit .*1 to 1000, got 1001/],
  ['text for a limit', { limit: '5' }, /limit .*got "5"/],
  ['two of them', { offset: -1, limit: 0 }, /offset .*got -1; limit .*got 0/],
]

describe('health refuses', () => {
  refuses([
    ...PAGES.map(([name, page, says]): Row => ({
      name: `a page: ${name}`,
      call: ({ scheduler }) => scheduler.health('shop.example', bad(page)),
      code: 'INVALID_REQUEST',
      says,
    })),
    ...['*', ...NO_DOMAINS].map((domain): Row => ({
      name: `the domain ${String(domain)} (${typeof domain})`,
      call: ({ scheduler }) => scheduler.health(bad(domain)),
      code: 'INVALID_TARGET',
      says: /^target .*(must be|no valid host)/,
    })),
  ])
})

const request = { url: 'https://shop.example/' }
const ok = (): Outcome => ({ kind: 'ok' })

const CALLS: readonly (readonly [string, Row['call'], Row['code'], RegExp])[] = [
  [
    'no request',
    (u) => u.scheduler.withAgent(bad(undefined), ok),
    'INVALID_REQUEST',
    /must be \{ url/,
  ],
  ['null', (u) => u.scheduler.withAgent(bad(null), ok), 'INVALID_REQUEST', /must be \{ url.*null/],
  ['no url', (u) => u.scheduler.withAgent({}, ok), 'INVALID_REQUEST', /exactly one of url/],
  [
    'a number to avoid',
    (u) => u.scheduler.withAgent({ ...request, avoid: bad(5) }, ok, { attempts: 3 }),
    'INVALID_REQUEST',
    /avoid must be an array.*got 5/,
  ],
  [
    'no function',
    (u) => u.scheduler.withAgent(request, bad(undefined)),
    'INVALID_REQUEST',
    /dispatch/,
  ],
  [
    'text for a function',
    (u) => u.scheduler.withAgent(request, bad('x')),
    'INVALID_REQUEST',
    /"x"/,
  ],
  ['null options', (u) => u.scheduler.withAgent(request, ok, bad(null)), 'INVALID_REQUEST', /null/],
  [
    'a number of options',
    (u) => u.scheduler.withAgent(request, ok, bad(3)),
    'INVALID_REQUEST',
    /got 3/,
  ],
  [
    'a misspelt option',
    (u) => u.scheduler.withAgent(request, ok, bad({ attempt: 3 })),
    'INVALID_REQUEST',
    /"attempt" is not an option of withAgent: attempts, outcomeOf/,
  ],
  ...[0, -1, 1.5, NaN, Infinity, 101, '3', null].map((attempts): (typeof CALLS)[number] => [
    `${String(attempts)} attempts (${typeof attempts})`,
    (u) => u.scheduler.withAgent(request, ok, { attempts: bad(attempts) }),
    'INVALID_REQUEST',
    /attempts must be an integer from 1 to 100, got /,
  ]),
  [
    'null for outcomeOf',
    (u) => u.scheduler.withAgent(request, ok, { outcomeOf: bad(null) }),
    'INVALID_REQUEST',
    /outcomeOf must be a function, got null/,
  ],
]

describe('withAgent refuses, and dispatches nothing:', () => {
  refuses(CALLS.map(([name, call, code, says]) => ({ name, call, code, says })))

  test.each([undefined, null, 5, { kind: 'fine' }, { kind: 'ok', latencyMs: NaN }])(
    'an outcomeOf that gives %j, and holds no lease after it',
    async (outcome) => {
      const used = inUse()
      const inFlight = () =>
        used.scheduler
          .explain({ ...request, seed: 1 })
          .candidates.map((candidate) => [candidate.agent.id, candidate.inFlight])
          .sort()
      const before = [inFlight(), used.scheduler.health('shop.example')]
      const call = used.scheduler.withAgent(request, ok, { outcomeOf: () => bad(outcome) })
      expectRefusal(
        await thrownBy(() => call),
        'INVALID_OUTCOME',
        /outcome(\.kind|\.latencyMs)? must be/,
      )
      expect([inFlight(), used.scheduler.health('shop.example')]).toEqual(before)
    },
  )
})

test('a report of a lease that nobody has changes nothing but what it says', () => {
  const used = inUse()
  const before = fingerprint(used)
  const { scheduler, lease } = used
  const made = { ...lease, id: 'made-up' }
  expect(scheduler.report(made, { kind: 'ok' }).kind).toBe('stale')
  expect(scheduler.report(made, { kind: 'agent_error' }).kind).toBe('stale')
  expect(fingerprint(used)).toBe(before)
})
