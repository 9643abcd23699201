import { describe } from 'vitest'
import { bad, NOW_MS, refuses, SECRET, WITH_CREDENTIALS, type Row } from './rig.ts'

const url = 'https://shop.example/p/1'
const HOUR_MS = 3_600_000

type Case = readonly [string, unknown, Row['code'], RegExp]

const TARGETS: readonly Case[] = [
  ['no request', undefined, 'INVALID_REQUEST', /must be \{ url \| domain.*got undefined/],
  ['null', null, 'INVALID_REQUEST', /must be \{ url \| domain.*got null/],
  ['a url in place of a request', url, 'INVALID_REQUEST', /must be \{ url \| domain.*got "https/],
  ['neither url nor domain', {}, 'INVALID_REQUEST', /exactly one of url and domain/],
  ['an array', [], 'INVALID_REQUEST', /exactly one of url and domain/],
  ['both url and domain', { url, domain: 'a.example' }, 'INVALID_REQUEST', /exactly one/],
  [
    'a misspelt field',
    { url, sesion: 's' },
    'INVALID_REQUEST',
    /^request has "sesion", which is not a field of a pick request: url, domain/,
  ],
  ['null for a url', { url: null }, 'INVALID_TARGET', /target null: must be a host or a URL/],
  ['a number for a url', { url: 5 }, 'INVALID_TARGET', /target 5: must be/],
  ['a symbol for a url', { url: Symbol('u') }, 'INVALID_TARGET', /target Symbol\(u\): must be/],
  ['an empty url', { url: '' }, 'INVALID_TARGET', /target "": .*no host/],
  ['a url without a host', { url: 'http:///p' }, 'INVALID_TARGET', /no host/],
  [
    'a file url',
    { url: 'file:///etc/passwd' },
    'INVALID_TARGET',
    /the scheme "file" is not supported: .* http/,
  ],
  ['javascript', { url: 'javascript:alert(1)' }, 'INVALID_TARGET', /"javascript" URI: must be/],
  ['a label of 64', { url: `https://${'a'.repeat(64)}.example/` }, 'INVALID_TARGET', /1 to 63/],
  [
    'a host of 300',
    { url: `https://${'a.'.repeat(150)}example/` },
    'INVALID_TARGET',
    /at most 253/,
  ],
  ['a url of a megabyte', { url: url + 'x'.repeat(1e6) }, 'INVALID_TARGET', /at most 16384 char/],
  ['a control character', { url: 'https://shop.example/\u0007' }, 'INVALID_TARGET', /no control/],
  ['a star', { domain: '*' }, 'INVALID_TARGET', /target "\*": has no valid host/],
  ['an empty domain', { domain: '' }, 'INVALID_TARGET', /target "": .*no host/],
  ['an object for a domain', { domain: {} }, 'INVALID_TARGET', /target an object: must be/],
  [
    'a broken port beside credentials',
    { url: `https://me:${SECRET}@shop.example:99999/` },
    'INVALID_TARGET',
    /target "shop\.example:99999": must be/,
  ],
  [
    'credentials with a slash in them',
    { url: `https://me:${SECRET}/x@shop.example/` },
    'INVALID_TARGET',
    /target with credentials: must be/,
  ],
  [
    'credentials without a scheme',
    { domain: `me:${SECRET}@shop.example` },
    'INVALID_TARGET',
    /target "shop\.example": .*credentials need a scheme/,
  ],
]

const HINTS: readonly Case[] = [
  ['null for geo', { url, geo: null }, 'INVALID_GEO', /geo null: must be a string/],
  ['a number for geo', { url, geo: 5 }, 'INVALID_GEO', /geo 5: must be a string.*Forms: DE/],
  ['an empty geo', { url, geo: '' }, 'INVALID_GEO', /geo "": is empty.*Forms: DE/],
  ['an unknown country', { url, geo: 'XX' }, 'INVALID_GEO', /geo "XX": XX is no ISO 3166-1/],
  ['UK', { url, geo: 'UK' }, 'INVALID_GEO', /use GB/],
  ['a latitude of 91', { url, geo: '91,0' }, 'INVALID_GEO', /latitude.*-90 to 90, got 91/],
  ['strict twice', { url, geo: 'DE;strict;strict' }, 'INVALID_GEO', /unknown, or there twice/],
  ['a long geo', { url, geo: 'DE,'.repeat(1e5) }, 'INVALID_GEO', /at most 256 characters/],
]

const SESSION = /session must be/
const SEED = /seed must be an integer from 0 to 4294967295, got /
const DEADLINE =
  /deadlineMs must be an instant after now \(1200000000\), at most an hour ahead, got /
const AVOID = /avoid must be an array of at most 1000 agent ids, got /
const PIN = /pin must be an array of at most 1000 agent ids, got /
const TAGS = /tags must be an array of at most 16 tags, got /

const WISHES: readonly Case[] = [
  ['null for a session', { url, session: null }, 'INVALID_REQUEST', /session must be.*got null/],
  ['an empty session', { url, session: '' }, 'INVALID_REQUEST', /session must be 1 to 128.*got ""/],
  ['a long session', { url, session: 's'.repeat(129) }, 'INVALID_REQUEST', SESSION],
  ['a session with a NUL', { url, session: '\0' }, 'INVALID_REQUEST', /session .*U\+0000/],
  ['a seed of -1', { url, seed: -1 }, 'INVALID_REQUEST', SEED],
  ['a seed of 2^32', { url, seed: 2 ** 32 }, 'INVALID_REQUEST', /got 4294967296/],
  ['half a seed', { url, seed: 0.5 }, 'INVALID_REQUEST', SEED],
  ['NaN for a seed', { url, seed: NaN }, 'INVALID_REQUEST', /got NaN/],
  ['null for a seed', { url, seed: null }, 'INVALID_REQUEST', /got null/],
  ['a bigint for a seed', { url, seed: 1n }, 'INVALID_REQUEST', /got 1n/],
  ['a deadline that is now', { url, deadlineMs: NOW_MS }, 'INVALID_REQUEST', DEADLINE],
  ['a deadline of 0', { url, deadlineMs: 0 }, 'INVALID_REQUEST', DEADLINE],
  ['a far deadline', { url, deadlineMs: NOW_MS + HOUR_MS + 1 }, 'INVALID_REQUEST', DEADLINE],
  ['half a ms', { url, deadlineMs: NOW_MS + 0.5 }, 'INVALID_REQUEST', DEADLINE],
  ['NaN for a deadline', { url, deadlineMs: NaN }, 'INVALID_REQUEST', /got NaN/],
  ['Infinity for a deadline', { url, deadlineMs: Infinity }, 'INVALID_REQUEST', /got Infinity/],
  ['a Date', { url, deadlineMs: new Date(NOW_MS) }, 'INVALID_REQUEST', /got an object/],
  ['null to avoid', { url, avoid: null }, 'INVALID_REQUEST', AVOID],
  ['one id to avoid', { url, avoid: 'de1' }, 'INVALID_REQUEST', /avoid must be .*got "de1"/],
  ['a set to avoid', { url, avoid: new Set(['de1']) }, 'INVALID_REQUEST', /got an object/],
  ['1001 to avoid', { url, avoid: Array(1001).fill('x') }, 'INVALID_REQUEST', /array of 1001/],
  ['a number to avoid', { url, avoid: ['de1', 5] }, 'INVALID_REQUEST', /avoid must hold.*got 5/],
  ['a hole to avoid', { url, avoid: Array(1) }, 'INVALID_REQUEST', /avoid must hold.*undefined/],
  ['null for a pin', { url, pin: null }, 'INVALID_REQUEST', PIN],
  ['one id for a pin', { url, pin: 'de1' }, 'INVALID_REQUEST', /pin must be .*got "de1"/],
  ['an agent for a pin', { url, pin: [{ id: 'de1' }] }, 'INVALID_REQUEST', /pin must hold.*object/],
  ['1001 pins', { url, pin: Array(1001).fill('x') }, 'INVALID_REQUEST', PIN],
  ['null for tags', { url, tags: null }, 'INVALID_REQUEST', /tags must be .*got null/],
  ['no text for tags', { url, tags: '' }, 'INVALID_REQUEST', /tags must be .*got ""/],
  ['one tag', { url, tags: 'fast' }, 'INVALID_REQUEST', /tags must be .*got "fast"/],
  ['a number for tags', { url, tags: 0 }, 'INVALID_REQUEST', TAGS],
  ['an object like no tags', { url, tags: { length: 0 } }, 'INVALID_REQUEST', TAGS],
  ['17 tags', { url, tags: Array(17).fill('fast') }, 'INVALID_REQUEST', /got an array of 17/],
  ['an empty tag', { url, tags: [''] }, 'INVALID_REQUEST', /tags must hold tags: each must be 1/],
  ['a number for a tag', { url, tags: [5] }, 'INVALID_REQUEST', /each must be a string, got 5/],
  [
    'a hole among tags',
    { url, tags: Array(1) },
    'INVALID_REQUEST',
    /each must be a string, got und/,
  ],
]

const CREDENTIALS: readonly Case[] = [
  ['a proxy url for geo', { url, geo: WITH_CREDENTIALS }, 'INVALID_GEO', /Forms: DE/],
  ['a proxy url for a pin', { url, pin: WITH_CREDENTIALS }, 'INVALID_REQUEST', PIN],
  ['a proxy url to avoid', { url, avoid: WITH_CREDENTIALS }, 'INVALID_REQUEST', AVOID],
  ['a proxy url for a tag', { url, tags: WITH_CREDENTIALS }, 'INVALID_REQUEST', TAGS],
  ['a proxy url for a seed', { url, seed: WITH_CREDENTIALS }, 'INVALID_REQUEST', SEED],
  ['a proxy url for a request', WITH_CREDENTIALS, 'INVALID_REQUEST', /must be \{ url/],
]

describe('pick and explain refuse', () => {
  refuses(
    [...TARGETS, ...HINTS, ...WISHES, ...CREDENTIALS].flatMap(([name, request, code, says]) => [
      { name: `pick: ${name}`, call: (used) => used.scheduler.pick(bad(request)), code, says },
      {
        name: `explain: ${name}`,
        call: (used) => used.scheduler.explain(bad(request)),
        code,
        says,
      },
    ]),
  )
})

const SEEN = `https://me:${SECRET}@shop.example`

describe('a domain that was seen before does not let a bad url of it through:', () => {
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['a control character in its path', `${SEEN}/\u0001`, /no control characters/],
    ['a path of a megabyte', `${SEEN}/${'x'.repeat(1e6)}`, /at most 16384 characters/],
  ]
  refuses(
    rows.map(([name, later, says]) => ({
      name,
      call: ({ scheduler }) => {
        scheduler.explain({ url: `${SEEN}/` })
        return scheduler.explain({ url: later })
      },
      code: 'INVALID_TARGET',
      says,
    })),
  )
})
