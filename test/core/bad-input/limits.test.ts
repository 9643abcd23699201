import { describe, expect, test } from 'vitest'
import { bad, expectRefusal, inUse, refuses, thrownBy, WITH_CREDENTIALS, type Row } from './rig.ts'

const free = { key: 'k1', tier: 'free' }
const COST = /cost must be an integer from 1 to 2147483647, got /

const REQUESTS: readonly (readonly [string, unknown, Row['code'], RegExp])[] = [
  ['no request', undefined, 'INVALID_REQUEST', /must be \{ key, tier.*got undefined/],
  ['null', null, 'INVALID_REQUEST', /must be \{ key, tier.*got null/],
  ['a string for a request', 'k1', 'INVALID_REQUEST', /must be \{ key, tier.*got "k1"/],
  ['no key', { tier: 'free' }, 'INVALID_KEY', /key must be a string, got undefined/],
  ['an empty key', { ...free, key: '' }, 'INVALID_KEY', /key must be 1 to 128 bytes.*got ""/],
  ['a number for a key', { ...free, key: 7 }, 'INVALID_KEY', /key must be a string, got 7/],
  ['a symbol for a key', { ...free, key: Symbol('k') }, 'INVALID_KEY', /string, got Symbol\(k\)/],
  ['a key over 128 bytes', { ...free, key: 'x'.repeat(129) }, 'INVALID_KEY', /longer one: "xxx/],
  ['a key of a megabyte', { ...free, key: 'x'.repeat(1e6) }, 'INVALID_KEY', /128 bytes.*longer/],
  ['43 euro signs', { ...free, key: '€'.repeat(43) }, 'INVALID_KEY', /1 to 128 bytes/],
  [
    'a key with a line break',
    { ...free, key: 'a\nb' },
    'INVALID_KEY',
    /control.*U\+000A at index 1/,
  ],
  ['a key with a C1 control', { ...free, key: '\u0085' }, 'INVALID_KEY', /control.*U\+0085/],
  ['a key with half a pair', { ...free, key: 'a\ud800' }, 'INVALID_KEY', /lone surrogate U\+D800/],
  ['no tier', { key: 'k1' }, 'UNKNOWN_TIER', /tier must be one of: free, open; got undefined/],
  ['an unknown tier', { ...free, tier: 'gold' }, 'UNKNOWN_TIER', /free, open; got "gold"/],
  ['a tier of another case', { ...free, tier: 'Free' }, 'UNKNOWN_TIER', /got "Free"/],
  ['__proto__ for a tier', { ...free, tier: '__proto__' }, 'UNKNOWN_TIER', /got "__proto__"/],
  ['constructor for a tier', { ...free, tier: 'constructor' }, 'UNKNOWN_TIER', /got "constructor"/],
  ['a cost of 0', { ...free, cost: 0 }, 'INVALID_REQUEST', COST],
  ['a cost of -0', { ...free, cost: -0 }, 'INVALID_REQUEST', COST],
  ['a negative cost', { ...free, cost: -1 }, 'INVALID_REQUEST', /got -1/],
  ['half a cost', { ...free, cost: 0.5 }, 'INVALID_REQUEST', /got 0.5/],
  ['NaN for a cost', { ...free, cost: NaN }, 'INVALID_REQUEST', /got NaN/],
  ['Infinity for a cost', { ...free, cost: Infinity }, 'INVALID_REQUEST', /got Infinity/],
  ['a bigint for a cost', { ...free, cost: 1n }, 'INVALID_REQUEST', /got 1n/],
  ['a numeric string for a cost', { ...free, cost: '1' }, 'INVALID_REQUEST', /got "1"/],
  ['null for a cost', { ...free, cost: null }, 'INVALID_REQUEST', /got null/],
  ['a cost of 2^31', { ...free, cost: 2 ** 31 }, 'INVALID_REQUEST', /got 2147483648/],
  [
    'null for a permit',
    { ...free, permit: null },
    'INVALID_REQUEST',
    /permit\.ttlMs.*got undefined/,
  ],
  [
    'a permit without ttlMs',
    { ...free, permit: {} },
    'INVALID_REQUEST',
    /from 1 to 86400000, got und/,
  ],
  ['a ttlMs of 0', { ...free, permit: { ttlMs: 0 } }, 'INVALID_REQUEST', /permit\.ttlMs.*got 0/],
  [
    'NaN for ttlMs',
    { ...free, permit: { ttlMs: NaN } },
    'INVALID_REQUEST',
    /permit\.ttlMs.*got NaN/,
  ],
  [
    'more than a day',
    { ...free, permit: { ttlMs: 86_400_001 } },
    'INVALID_REQUEST',
    /got 86400001/,
  ],
  [
    'a permit that the tier has not',
    { key: 'k1', tier: 'open', permit: { ttlMs: 1 } },
    'INVALID_REQUEST',
    /tier "open" offers no permits/,
  ],
  [
    'an empty opId',
    { ...free, opId: '' },
    'INVALID_REQUEST',
    /opId must be 1 to 128 bytes.*got ""/,
  ],
  ['a number for an opId', { ...free, opId: 5 }, 'INVALID_REQUEST', /opId must be a string, got 5/],
  ['a long opId', { ...free, opId: 'o'.repeat(200) }, 'INVALID_REQUEST', /opId must be 1 to 128/],
  ['a misspelt field', { ...free, cots: 5 }, 'INVALID_REQUEST', /^request has "cots".*cost/],
]

describe('admit and peek refuse', () => {
  refuses(
    REQUESTS.flatMap(([name, request, code, says]) => [
      { name: `admit: ${name}`, call: (used) => used.scheduler.admit(bad(request)), code, says },
      { name: `peek: ${name}`, call: (used) => used.scheduler.peek(bad(request)), code, says },
    ]),
  )
})

const A_DECISION = /decision of admit/

describe('refund refuses', () => {
  refuses([
    {
      name: 'no decision',
      call: ({ scheduler }) => scheduler.refund(bad(undefined)),
      code: 'INVALID_REQUEST',
      says: /decision of admit, got undefined/,
    },
    {
      name: 'null',
      call: ({ scheduler }) => scheduler.refund(bad(null)),
      code: 'INVALID_REQUEST',
      says: /decision of admit, got null/,
    },
    {
      name: 'a request in place of its decision',
      call: ({ scheduler }) => scheduler.refund(bad(free)),
      code: 'INVALID_REQUEST',
      says: A_DECISION,
    },
    {
      name: 'a decision without its instant',
      call: ({ scheduler, decision }) => scheduler.refund({ ...decision, atMs: NaN }),
      code: 'INVALID_REQUEST',
      says: A_DECISION,
    },
    {
      name: 'a decision of an unknown tier',
      call: ({ scheduler, decision }) => scheduler.refund({ ...decision, tier: 'gold' }),
      code: 'UNKNOWN_TIER',
      says: /free, open; got "gold"/,
    },
    ...[NaN, -3, 0, 0.5, Infinity, '3', 2 ** 31].map((cost): Row => ({
      name: `a decision whose cost is ${JSON.stringify(cost)} (${String(cost)})`,
      call: ({ scheduler, decision }) => scheduler.refund({ ...decision, cost: bad(cost) }),
      code: 'INVALID_REQUEST',
      says: COST,
    })),
    {
      name: 'a decision with a broken opId',
      call: ({ scheduler, decision }) => scheduler.refund({ ...decision, opId: bad(5) }),
      code: 'INVALID_REQUEST',
      says: /opId must be a string, got 5/,
    },
  ])
})

describe('usage refuses', () => {
  refuses([
    {
      name: 'no key',
      call: ({ scheduler }) => scheduler.usage(bad(undefined)),
      code: 'INVALID_KEY',
      says: /key must be a string, got undefined/,
    },
    {
      name: 'an empty key',
      call: ({ scheduler }) => scheduler.usage(''),
      code: 'INVALID_KEY',
      says: /1 to 128 bytes/,
    },
    {
      name: 'an unknown tier',
      call: ({ scheduler }) => scheduler.usage('k1', 'gold'),
      code: 'UNKNOWN_TIER',
      says: /free, open; got "gold"/,
    },
    {
      name: 'null for a tier',
      call: ({ scheduler }) => scheduler.usage('k1', bad(null)),
      code: 'UNKNOWN_TIER',
      says: /free, open; got null/,
    },
    {
      name: 'a url with credentials for a tier',
      call: ({ scheduler }) => scheduler.usage('k1', WITH_CREDENTIALS),
      code: 'UNKNOWN_TIER',
      says: /free, open; got/,
    },
  ])
})

const A_PERMIT = /must be a permit of admit, got /
const NO_PERMITS: readonly unknown[] = [
  undefined,
  null,
  'p1',
  {},
  { id: 'p1' },
  { id: 5, key: 'k1' },
]

describe('renew and release refuse', () => {
  refuses([
    ...NO_PERMITS.flatMap((permit): Row[] => [
      {
        name: `release of ${JSON.stringify(permit)}`,
        call: ({ scheduler }) => scheduler.release(bad(permit)),
        code: 'INVALID_REQUEST',
        says: A_PERMIT,
      },
      {
        name: `renew of ${JSON.stringify(permit)}`,
        call: ({ scheduler }) => scheduler.renew(bad(permit), 1000),
        code: 'INVALID_REQUEST',
        says: A_PERMIT,
      },
    ]),
    ...[0, -1, 1.5, NaN, Infinity, 86_400_001, '5', undefined].map((ttlMs): Row => ({
      name: `renew for ${String(ttlMs)} ms (${typeof ttlMs})`,
      call: ({ scheduler, permit }) => scheduler.renew(permit, bad(ttlMs)),
      code: 'INVALID_REQUEST',
      says: /ttlMs must be an integer from 1 to 86400000, got /,
    })),
  ])
})

describe('once closed, all of it refuses', () => {
  const calls: readonly (readonly [string, Row['call']])[] = [
    ['admit', ({ scheduler }) => scheduler.admit(free)],
    ['peek', ({ scheduler }) => scheduler.peek(free)],
    ['refund', ({ scheduler, decision }) => scheduler.refund(decision)],
    ['usage', ({ scheduler }) => scheduler.usage('k1')],
    ['renew', ({ scheduler, permit }) => scheduler.renew(permit, 1000)],
    ['release', ({ scheduler, permit }) => scheduler.release(permit)],
    ['pick', ({ scheduler }) => scheduler.pick({ url: 'https://shop.example/' })],
    ['explain', ({ scheduler }) => scheduler.explain({ url: 'https://shop.example/' })],
    ['report', ({ scheduler, lease }) => scheduler.report(lease, { kind: 'ok' })],
    ['health', ({ scheduler }) => scheduler.health('shop.example')],
    ['exclude', ({ scheduler }) => scheduler.exclude('de1', 'shop.example', 2e12)],
    ['restore', ({ scheduler }) => scheduler.restore('de1', 'shop.example')],
    ['upsert', ({ scheduler }) => scheduler.agents.upsert([{ id: 'x' }])],
    ['remove', ({ scheduler }) => scheduler.agents.remove(['de1'])],
    ['drain', ({ scheduler }) => scheduler.agents.drain(['de1'])],
  ]
  test.each(calls)('%s', async (_, call) => {
    const used = inUse()
    const agents = [...used.scheduler.agents.values()]
    used.scheduler.close()
    expectRefusal(await thrownBy(() => call(used)), 'CLOSED', /closed/)
    expect([...used.scheduler.agents.values()]).toEqual(agents)
    used.scheduler.close()
  })
})
