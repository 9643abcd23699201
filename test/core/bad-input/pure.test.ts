import { describe, expect, test } from 'vitest'
import { classify, domainOf, parseGeo } from '@ostler/core'
import { bad, refuses, SECRET, WITH_CREDENTIALS } from './rig.ts'

const HINTS: readonly (readonly [string, unknown, RegExp])[] = [
  ['nothing', undefined, /geo undefined: must be a string/],
  ['null', null, /geo null: must be a string/],
  ['an object', { text: 'DE' }, /geo an object: must be a string/],
  ['a symbol', Symbol('DE'), /geo Symbol\(DE\): must be a string/],
  ['no text', '', /geo "": is empty/],
  ['spaces', '   ', /is empty/],
  ['a suffix alone', ';strict', /is empty/],
  ['a country of three letters', 'DEU', /"DEU" is no country, region, continent or coordinate/],
  ['a name', 'Germany', /"Germany" is no country/],
  ['a code that is not assigned', 'ZZ', /ZZ is no ISO 3166-1 country/],
  ['Greece as Greeks write it', 'EL', /use GR/],
  ['an item that is missing', 'DE,,AT', /has an empty item/],
  ['a comma at the end', 'DE,', /has an empty item/],
  ['a region of no country', 'ZZ-1', /ZZ is no ISO 3166-1 country/],
  ['a region of four letters', 'US-CALI', /"US-CALI" is no country/],
  ['one coordinate', '48.2', /48\.2 needs a longitude after it, got none/],
  ['a country for a longitude', '48.2,DE', /needs a longitude after it, got "DE"/],
  ['a latitude of -91', '-91,0', /latitude must be from -90 to 90, got -91/],
  ['a longitude of 181', '0,181', /longitude must be from -180 to 180, got 181/],
  ['NaN for a latitude', 'NaN,5', /"NaN" is no country/],
  ['an exponent', '1e1,5', /"1e1" is no country/],
  ['a point beside a country', '48,16,DE', /a point stands alone/],
  ['a veto of a region', '-US-CA', /vetoes a region; only countries and continents/],
  ['a wish that is vetoed', 'DE,-DE', /wishes DE and vetoes DE/],
  ['a region of a vetoed country', 'US-CA,-US', /wishes US-CA and vetoes US/],
  ['a continent wished and vetoed', 'EU,-EU', /vetoes every country of it/],
  ['all vetoed', '-AF,-AN,-AS,-EU,-NA,-OC,-SA', /vetoes every country/],
  ['strict vetoes', '-GB;strict', /strict needs a wish/],
  ['a strict point', '48,16;strict', /a strict point needs a radius/],
  ['a radius without a number', 'DE;radius=', /the suffix "radius=" is unknown/],
  ['a radius of 0', 'DE;radius=0', /radius must be from 0\.001 to \d+ km, got 0/],
  ['a radius round the world', 'DE;radius=50000', /radius must be from .* got 50000/],
  ['a negative radius', 'DE;radius=-5', /the suffix "radius=-5" is unknown/],
  ['a radius in miles', 'DE;radius=5mi', /the suffix "radius=5mi" is unknown/],
  ['a radius of two countries', 'DE,AT;radius=5', /a radius needs one point, country or region/],
  ['a radius of a continent', 'EU;radius=5', /a radius needs one point, country or region/],
  ['a suffix that is empty', 'DE;', /the suffix "" is unknown/],
  ['33 items', Array(33).fill('DE').join(','), /at most 32 items, has 33/],
  ['257 characters', 'D'.repeat(257), /at most 256 characters, has 257/],
  ['a proxy url', WITH_CREDENTIALS, /is no country, region/],
]

describe('parseGeo refuses, and names the forms:', () => {
  refuses(
    HINTS.flatMap(([name, text, says]) => [
      { name, call: () => parseGeo(bad(text)), code: 'INVALID_GEO', says },
      {
        name: `${name} (forms)`,
        call: () => parseGeo(bad(text)),
        code: 'INVALID_GEO',
        says: /Forms: DE, DE,AT .*US-CA, 48\.21,16\.37 .*-GB .*;strict and ;radius=500/,
      },
    ]),
  )
})

const TARGETS: readonly (readonly [string, unknown, RegExp])[] = [
  ['nothing', undefined, /target undefined: must be a host or a URL of http/],
  ['null', null, /target null: must be a host/],
  ['a number', 80, /target 80: must be a host/],
  ['an object without href', { host: 'a.example' }, /target an object: must be/],
  ['an href that is no text', { href: 5 }, /target an object: must be/],
  ['an array', ['a.example'], /target an array of 1: must be/],
  ['no text', '', /it has no host/],
  ['a path', '/p/1', /it has no host/],
  ['a query', '?q=1', /it has no host/],
  ['mailto', 'mailto:me@a.example', /must be a host or a URL/],
  ['data', 'data:text/html,x', /"data" URI: must be/],
  ['ftp', 'ftp://a.example/', /the scheme "ftp" is not supported: .*amqps/],
  ['three slashes', 'https:///a.example', /it has no host/],
  ['an empty label', 'https://a..example/', /labels are 1 to 63/],
  ['a space in the host', 'https://a b.example/', /must be a host/],
  ['a port of letters', 'https://a.example:http/', /must be a host/],
  ['an IPv6 address cut short', 'https://[::1/', /must be a host/],
  ['an IPv4 number too large', 'https://1.2.3.256/', /must be a host/],
  ['a percent sign alone', 'https://%/', /must be a host/],
  ['a NUL', 'https://a.example\0/', /no control characters/],
  ['credentials and no host', `https://me:${SECRET}@/`, /must be a host|it has no host/],
  ['credentials and a bad host', `https://me:${SECRET}@a..b/`, /target "a\.\.b": .*labels/],
  ['two at signs', `https://me:${SECRET}@x@a b/`, /target "a b": must be/],
]

describe('domainOf refuses', () => {
  refuses(
    TARGETS.map(([name, target, says]) => ({
      name,
      call: () => domainOf(bad(target)),
      code: 'INVALID_TARGET',
      says,
    })),
  )
  refuses(
    [null, 5, { scope: 'site' }, { scope: null }].map((options) => ({
      name: `the options ${JSON.stringify(options)}`,
      call: () => domainOf('https://a.example/', bad(options)),
      code: 'INVALID_OPTIONS',
      says: /must be .*, got /,
    })),
  )
})

describe('classify refuses', () => {
  refuses(
    [undefined, null, 200, 'HTTP/1.1 200 OK', Symbol('r')].map((response) => ({
      name: `the response ${String(response)}`,
      call: () => classify(bad(response)),
      code: 'INVALID_OUTCOME',
      says: /response must be an object, got /,
    })),
  )
  refuses(
    [null, 5, { rules: 5 }, { rules: [null] }, { rules: [{}] }, { rules: null }].map((options) => ({
      name: `the options ${JSON.stringify(options)}`,
      call: () => classify({ status: 200 }, bad(options)),
      code: 'INVALID_OPTIONS',
      says: /must (be|have)|needs|got /,
    })),
  )

  test.each([
    [{}],
    [{ status: '200' }],
    [{ status: NaN, headers: 5, body: {} }],
    [{ status: 1e99, headers: [['a', 'b']], url: 5 }],
    [{ status: 200, headers: { 'retry-after': { a: 1 } }, body: new Uint8Array([255, 254]) }],
    [Object.create(null)],
  ])('no answer of a target, whatever it holds: %j', (response) => {
    expect(classify(bad(response)).outcome.kind).toMatch(/^(ok|neutral)$/)
  })
})
