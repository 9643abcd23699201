import { describe, expect, test } from 'vitest'
import type { Agent, OstlerError } from '@ostler/core'
import {
  bad,
  expectRefusal,
  fingerprint,
  inUse,
  refuses,
  SECRET,
  thrownBy,
  WITH_CREDENTIALS,
  type Row,
} from './rig.ts'

const ok: Agent = { id: 'new', country: 'DE' }

const AGENTS: readonly (readonly [string, unknown, RegExp])[] = [
  ['nothing', undefined, /\[1\] must be an agent \{ id, \.\.\. \}, got undefined/],
  ['null', null, /\[1\] must be an agent.*got null/],
  ['an id alone', 'x', /\[1\] must be an agent.*got "x"/],
  ['an array', ['x'], /\[1\] must be an agent.*got an array of 1/],
  ['a function', () => ok, /\[1\] must be an agent.*got a function/],
  ['no id', { country: 'DE' }, /\[1\]\.id must be a string, got undefined/],
  ['an empty id', { id: '' }, /\[1\]\.id must be 1 to 128 bytes.*got ""/],
  ['a number for an id', { id: 5 }, /\[1\]\.id must be a string, got 5/],
  ['a long id', { id: 'x'.repeat(129) }, /\[1\]\.id must be 1 to 128 bytes/],
  ['a line break in an id', { id: 'a\nb' }, /\[1\]\.id .*U\+000A at index 1/],
  ['a misspelt field', { ...ok, maxConcurency: 5 }, /has "maxConcurency".*maxConcurrency/],
  ['drained', { ...ok, drained: true }, /\[1\] has "drained", which is not a field/],
  ['a country of lower case', { ...ok, country: 'de' }, /\[1\]\.country .*upper case, got "de"/],
  ['an unknown country', { ...ok, country: 'XX' }, /\[1\]\.country .*got "XX"/],
  ['null for a country', { ...ok, country: null }, /\[1\]\.country .*got null/],
  ['__proto__ for a country', { ...ok, country: '__proto__' }, /country .*got "__proto__"/],
  ['an index for a country', { ...ok, country: 55 }, /\[1\]\.country .*got 55/],
  ['a region of no country', { id: 'x', region: 'DE-BE' }, /\[1\]\.region .*got "DE-BE"/],
  ['a region elsewhere', { ...ok, region: 'US-CA' }, /\[1\]\.region .*of its country.*"US-CA"/],
  ['a long region', { ...ok, region: 'DE-BERLIN' }, /\[1\]\.region .*3166-2.*got "DE-BERLIN"/],
  ['a number for a region', { ...ok, region: 5 }, /\[1\]\.region .*got 5/],
  ['a number for a city', { ...ok, city: 5 }, /\[1\]\.city .*at most 256 characters, got 5/],
  ['a long city', { ...ok, city: 'x'.repeat(257) }, /\[1\]\.city .*got 257 characters/],
  ['a latitude alone', { ...ok, lat: 5 }, /\[1\]\.lon .*-180 to 180, got undefined/],
  ['a longitude alone', { ...ok, lon: 5 }, /\[1\]\.lat .*-90 to 90, got undefined/],
  ['a latitude of 90.01', { ...ok, lat: 90.01, lon: 0 }, /\[1\]\.lat .*-90 to 90, got 90\.01/],
  ['a longitude of -181', { ...ok, lat: 0, lon: -181 }, /\[1\]\.lon .*got -181/],
  ['NaN for a latitude', { ...ok, lat: NaN, lon: 0 }, /\[1\]\.lat .*got NaN/],
  ['Infinity for a longitude', { ...ok, lat: 0, lon: Infinity }, /\[1\]\.lon .*got Infinity/],
  ['text for degrees', { ...ok, lat: '1', lon: '2' }, /lat .*got "1"; .*lon .*got "2"/],
  ['null for degrees', { ...ok, lat: null, lon: null }, /lat .*got null/],
  ['an empty exitIp', { ...ok, exitIp: '' }, /\[1\]\.exitIp must be 1 to 128/],
  ['null for an exitIp', { ...ok, exitIp: null }, /\[1\]\.exitIp must be a string, got null/],
  ['a negative asn', { ...ok, asn: -1 }, /\[1\]\.asn .*0 to 4294967295, got -1/],
  ['half an asn', { ...ok, asn: 1.5 }, /\[1\]\.asn .*got 1\.5/],
  ['an AS for an asn', { ...ok, asn: 'AS13335' }, /\[1\]\.asn .*got "AS13335"/],
  ['one tag', { ...ok, tags: 'fast' }, /\[1\]\.tags .*at most 64 tags, got "fast"/],
  ['65 tags', { ...ok, tags: Array(65).fill('x') }, /\[1\]\.tags .*got an array of 65/],
  ['a hole among tags', { ...ok, tags: Array(1) }, /\[1\]\.tags\[0\] must be a string, got undef/],
  ['a number for a tag', { ...ok, tags: ['a', 5] }, /\[1\]\.tags\[1\] must be a string, got 5/],
  ['an empty tag', { ...ok, tags: [''] }, /\[1\]\.tags\[0\] must be 1 to 128/],
  ['a weight of 0', { ...ok, weight: 0 }, /\[1\]\.weight .*above 0, to 1000000, got 0/],
  ['a weight of -0', { ...ok, weight: -0 }, /\[1\]\.weight .*got/],
  ['a negative weight', { ...ok, weight: -1 }, /\[1\]\.weight .*got -1/],
  ['NaN for a weight', { ...ok, weight: NaN }, /\[1\]\.weight .*got NaN/],
  ['Infinity for a weight', { ...ok, weight: Infinity }, /\[1\]\.weight .*got Infinity/],
  ['a bigint for a weight', { ...ok, weight: 1n }, /\[1\]\.weight .*got 1n/],
  ['no slots', { ...ok, maxConcurrency: 0 }, /\[1\]\.maxConcurrency .*1 to 65535, got 0/],
  ['65,536 slots', { ...ok, maxConcurrency: 65_536 }, /maxConcurrency .*got 65536/],
  ['slots without bound', { ...ok, maxConcurrency: Infinity }, /maxConcurrency .*got Infinity/],
  ['a URL for a url', { ...ok, url: new URL(WITH_CREDENTIALS) }, /\[1\]\.url .*got an object/],
  ['a long url', { ...ok, url: WITH_CREDENTIALS + 'x'.repeat(2048) }, /url .*2048 .*characters/],
  ['a proxy url for a country', { ...ok, country: WITH_CREDENTIALS }, /\[1\]\.country .*got/],
  ['a proxy url for a region', { ...ok, region: WITH_CREDENTIALS }, /\[1\]\.region .*got/],
  ['a proxy url for a latitude', { ...ok, lat: WITH_CREDENTIALS, lon: 0 }, /\[1\]\.lat .*got/],
  ['a proxy url for an asn', { ...ok, asn: WITH_CREDENTIALS }, /\[1\]\.asn .*got/],
  ['a proxy url for a field', { ...ok, [WITH_CREDENTIALS]: 1 }, /is not a field of an agent/],
  ['a long proxy url for an id', { id: WITH_CREDENTIALS.repeat(4) }, /\[1\]\.id .*1 to 128/],
]

describe('upsert refuses all for one that is', () => {
  refuses(
    AGENTS.map(([name, agent, says]) => ({
      name,
      call: ({ scheduler }) => scheduler.agents.upsert([{ ...ok, id: 'de1' }, bad(agent), ok]),
      code: 'INVALID_AGENT',
      says,
    })),
  )
})

const NO_ARRAYS: readonly unknown[] = [undefined, null, ok, 'de1', new Set([ok])]
const NO_IDS: readonly (readonly [string, unknown, RegExp])[] = [
  ['nothing', undefined, /must be an array of agent ids, got undefined/],
  ['null', null, /must be an array of agent ids, got null/],
  ['one id', 'de1', /must be an array of agent ids, got "de1"/],
  ['a set', new Set(['de1']), /must be an array of agent ids, got an object/],
  ['a number among ids', ['de1', 5], /\[1\] must be an agent id, got 5/],
  ['an agent among ids', ['de1', ok], /\[1\] must be an agent id, got an object/],
  ['a hole among ids', ['de1', ...Array(1)], /\[1\] must be an agent id, got undefined/],
  ['an array of holes', Array(2), /\[0\] must be an agent id, got undefined/],
]

describe('agents refuse', () => {
  refuses([
    ...NO_ARRAYS.map((agents): Row => ({
      name: `upsert of ${String(agents)}`,
      call: ({ scheduler }) => scheduler.agents.upsert(bad(agents)),
      code: 'INVALID_AGENT',
      says: /upsert takes an array of agents, got /,
    })),
    {
      name: 'upsert of an array with a hole',
      // oxlint-disable-next-line no-sparse-arrays -- the hole is the case
      call: ({ scheduler }) => scheduler.agents.upsert(bad([ok, , { ...ok, id: 'x' }])),
      code: 'INVALID_AGENT',
      says: /\[1\] must be an agent \{ id, \.\.\. \}, got undefined/,
    },
    {
      name: 'more agents than the store may hold',
      call: ({ scheduler }) =>
        scheduler.agents.upsert(Array.from({ length: 7 }, (_, i) => ({ ...ok, id: `n${i}` }))),
      code: 'FLEET_FULL',
      says: /must not exceed maxAgents = 10 agents, got 11/,
    },
    ...NO_IDS.flatMap(([name, ids, says]): Row[] => [
      {
        name: `remove: ${name}`,
        call: ({ scheduler }) => scheduler.agents.remove(bad(ids)),
        code: 'INVALID_REQUEST',
        says,
      },
      {
        name: `drain: ${name}`,
        call: ({ scheduler }) => scheduler.agents.drain(bad(ids)),
        code: 'INVALID_REQUEST',
        says,
      },
    ]),
  ])

  test('every problem of every agent at once, each by its path', async () => {
    const { scheduler } = inUse()
    const agents = [{ id: '', weight: 0 }, ok, { id: 'x', tags: [1], lat: 100, lon: 200 }]
    const error = await thrownBy(() => scheduler.agents.upsert(bad(agents)))
    expectRefusal(error, 'INVALID_AGENT', /^\[0\]\.id .*; \[0\]\.weight .*; \[2\]\.lat /)
    expect((error as OstlerError).problems.map(({ path }) => path)).toEqual([
      '[0].id',
      '[0].weight',
      '[2].lat',
      '[2].lon',
      '[2].tags[0]',
    ])
  })

  test('a hundred thousand bad agents in a message that can be read', async () => {
    const { scheduler } = inUse()
    const agents = Array(1e5).fill({ id: 5 })
    const error = await thrownBy(() => scheduler.agents.upsert(bad(agents)))
    expectRefusal(error, 'INVALID_AGENT', /\[0\]\.id .*and 80 more$/)
  })
})

test('get gives nothing for what is no id of an agent', () => {
  const used = inUse()
  const before = fingerprint(used)
  for (const id of [undefined, null, 5, {}, '', 'x', '__proto__', 'constructor', Symbol('de1')]) {
    expect(used.scheduler.agents.get(bad(id))).toBeUndefined()
  }
  expect(fingerprint(used)).toBe(before)
})

test('remove and drain pass over ids that are unknown', () => {
  const used = inUse()
  const before = fingerprint(used)
  used.scheduler.agents.remove(['x', '__proto__', '', SECRET])
  used.scheduler.agents.drain(['x', '__proto__', '', SECRET])
  used.scheduler.agents.remove([])
  used.scheduler.agents.upsert([])
  expect(fingerprint(used)).toBe(before)
})
