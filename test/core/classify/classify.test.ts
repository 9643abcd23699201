import fc from 'fast-check'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  classify,
  type ClassifiedOutcome,
  type TargetResponse,
} from '../../../packages/core/src/classify/classify.ts'
import { VENDOR_MARKS, VENDOR_RULES } from '../../../packages/core/src/classify/vendors.ts'
import { OstlerError } from '../../../packages/core/src/errors.ts'
import type { Outcome } from '../../../packages/core/src/store/store.ts'

const nowMs = Date.parse('Sun, 22 Nov 2026 00:00:00 GMT')
const page = (title: string, body = '') =>
  `<!DOCTYPE html><html><head><title>${title}</title></head><body>${body}</body></html>`
const kindOf = (response: TargetResponse) => classify(response, { nowMs }).outcome.kind

describe('an answer without evidence', () => {
  it.each([
    ['ok', [200, 201, 204, 206, 301, 302, 304, 399, 400, 401, 404, 405, 410, 422]],
    ['rate_limited', [429]],
    ['challenged', [403, 418]],
    ['blocked', [451, 999]],
    ['target_error', [500, 502, 503, 504, 520, 521, 530, 599]],
    ['agent_error', [407]],
    ['neutral', [0, -1, 100, 101, 199, 408, 600, Number.NaN, Infinity, 'x' as unknown as number]],
  ])('is %s', (kind, statuses) => {
    for (const status of statuses) expect([status, kindOf({ status })]).toEqual([status, kind])
  })

  it('is a plain outcome that a report takes', () => {
    expectTypeOf<ClassifiedOutcome>().toExtend<Outcome>()
    expect(classify({ status: 200 })).toEqual({
      outcome: { kind: 'ok', evidence: 'status 200' },
      evidence: 'status 200',
      confidence: 0.9,
    })
  })

  it.each([null, undefined, 5, 'x'])('is refused when the response is %j', (response) => {
    expect(() => classify(response as unknown as TargetResponse)).toThrow(OstlerError)
    expect(() => classify(response as unknown as TargetResponse)).toThrow(/must be an object, got/)
  })
})

describe('a limit', () => {
  const wait = (status: number, headers: Record<string, string>, at: number | null = nowMs) =>
    classify({ status, headers }, at === null ? {} : { nowMs: at }).outcome

  it.each<[number, Record<string, string>, number | undefined]>([
    [429, {}, undefined],
    [429, { 'Retry-After': '30' }, 30_000],
    [429, { 'retry-after': '1.5' }, 1500],
    [429, { 'retry-after': '0' }, 0],
    [503, { 'RETRY-AFTER': ' 120 ' }, 120_000],
    [403, { 'retry-after': 'Sun, 22 Nov 2026 00:01:00 GMT' }, 60_000],
    [429, { 'retry-after': 'Sat, 21 Nov 2026 00:01:00 GMT' }, 0],
    [429, { 'retry-after': 'soon' }, undefined],
    [429, { 'retry-after': '-5' }, undefined],
    [429, { 'retry-after': '9'.repeat(15) }, 31_536_000_000],
    [403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '60' }, 60_000],
    [403, { 'X-RateLimit-Remaining': '0.0', 'X-RateLimit-Reset': '247' }, 247_000],
    [503, { 'ratelimit-remaining': '0', 'ratelimit-reset': '7' }, 7000],
    [403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': `${nowMs / 1000 + 9}` }, 9000],
    [403, { 'x-rate-limit-remaining': '-1', 'x-rate-limit-reset': `${nowMs + 9}` }, 9],
    [403, { ratelimit: '"default";r=0;t=12' }, 12_000],
    [403, { 'x-ratelimit-remaining': '0' }, undefined],
  ])('%i with %j asks for a wait of %s ms', (status, headers, retryAfterMs) => {
    const outcome = wait(status, headers)
    expect(outcome.kind).toBe('rate_limited')
    expect(outcome.retryAfterMs).toBe(retryAfterMs)
    expect('retryAfterMs' in outcome).toBe(retryAfterMs !== undefined)
  })

  it('takes the answer’s own date where the caller gives no time', () => {
    const headers = {
      date: 'Sun, 22 Nov 2026 00:00:00 GMT',
      'retry-after': 'Sun, 22 Nov 2026 00:00:20 GMT',
    }
    expect(wait(429, headers, null).retryAfterMs).toBe(20_000)
    expect(wait(429, { 'retry-after': headers['retry-after'] }, null)).not.toHaveProperty(
      'retryAfterMs',
    )
  })

  it.each<[number, Record<string, string>, string]>([
    [403, { 'x-ratelimit-remaining': '3' }, 'challenged'],
    [200, { 'x-ratelimit-remaining': '0' }, 'ok'],
    [200, { 'retry-after': '5' }, 'ok'],
    [500, { 'retry-after': '5' }, 'target_error'],
    [503, { 'x-ratelimit-remaining': '1' }, 'target_error'],
    [404, { 'x-ratelimit-remaining': '0' }, 'ok'],
  ])('is not what %i with %j says', (status, headers, kind) => {
    expect(wait(status, headers).kind).toBe(kind)
  })

  it('may be told by words, and still carries the wait', () => {
    const body = 'error code: 1015'
    const found = classify({ status: 403, headers: { 'retry-after': '9' }, body })
    expect(found).toMatchObject({ vendor: 'cloudflare', outcome: { retryAfterMs: 9000 } })
    expect(kindOf({ status: 503, body: 'Too Many Requests' })).toBe('rate_limited')
    expect(kindOf({ status: 200, body: 'Too Many Requests' })).toBe('ok')
  })
})

const CLIENT_CHALLENGE = page('Client Challenge', '<script src="/_fs-ch-1T/a.js"></script>')

describe('a block', () => {
  it.each<[string, string, TargetResponse]>([
    ['cloudflare', 'challenged', { status: 403, headers: { 'CF-Mitigated': 'challenge' } }],
    ['cloudflare', 'challenged', { status: 503, body: page('Just a moment...') }],
    ['cloudflare', 'challenged', { status: 200, body: '<script>window._cf_chl_opt={}' }],
    ['cloudflare', 'blocked', { status: 403, body: 'error code: 1020' }],
    [
      'cloudflare',
      'blocked',
      {
        status: 403,
        body: page('Attention Required! | Cloudflare', 'Sorry, you have been blocked. Cloudflare'),
      },
    ],
    [
      'akamai',
      'blocked',
      {
        status: 403,
        headers: { server: 'AkamaiGHost' },
        body: page('Access Denied', 'https://errors.edgesuite.net/18.5'),
      },
    ],
    ['datadome', 'challenged', { status: 403, headers: { 'x-dd-b': '1' } }],
    ['datadome', 'challenged', { status: 200, url: 'https://geo.captcha-delivery.com/captcha/' }],
    ['perimeterx', 'challenged', { status: 403, body: '<div id="px-captcha"></div>' }],
    [
      'perimeterx',
      'challenged',
      { status: 403, body: page('Access to this page has been denied') },
    ],
    ['imperva', 'blocked', { status: 200 + 203, body: 'Incapsula incident ID: 1-2' }],
    [
      'imperva',
      'challenged',
      { status: 200, body: page('', '<script src="/_Incapsula_Resource?X=1"></script>') },
    ],
    ['imperva', 'challenged', { status: 200, body: page('Pardon Our Interruption', 'text') }],
    ['kasada', 'challenged', { status: 429, headers: { 'x-kpsdk-ct': 'abc' } }],
    ['aws-waf', 'challenged', { status: 202, headers: { 'x-amzn-waf-action': 'challenge' } }],
    ['aws-waf', 'challenged', { status: 405, headers: { 'x-amzn-waf-action': 'captcha' } }],
    ['f5', 'blocked', { status: 200 + 203, body: 'The requested URL was rejected. Support ID: 1' }],
    ['sucuri', 'blocked', { status: 403, headers: { 'x-sucuri-block': 'IP' } }],
    ['vercel', 'challenged', { status: 403, headers: { 'x-vercel-mitigated': 'challenge' } }],
    ['vercel', 'blocked', { status: 403, headers: { 'x-vercel-mitigated': 'deny' } }],
    ['anubis', 'challenged', { status: 200, body: page('Making sure you&#39;re not a bot!', 'x') }],
    ['fastly', 'challenged', { status: 200, body: CLIENT_CHALLENGE }],
    [
      'google',
      'challenged',
      { status: 302, headers: { location: 'https://www.google.com/sorry/i' } },
    ],
    [
      'recaptcha',
      'challenged',
      { status: 200, body: page('x', '<div class="g-recaptcha"></div>') },
    ],
    [
      'hcaptcha',
      'challenged',
      {
        status: 200,
        body: page('Human verification', 'text <script src="//hcaptcha.com/1/api.js">'),
      },
    ],
    ['reddit', 'blocked', { status: 403, body: "You've been blocked by network security." }],
    [
      'cheq',
      'blocked',
      { status: 403, body: page('Access Denied', 'x<i src="//ob.cheqzone.com/a">') },
    ],
  ])('of %s is %s', (vendor, kind, response) => {
    const found = classify(response)
    expect(found.outcome.kind).toBe(kind)
    expect(found.vendor).toBe(vendor)
    expect(found.evidence).toBe(found.outcome.evidence)
    expect(found.evidence.length).toBeLessThan(200)
  })

  it.each<[string, TargetResponse]>([
    ['blocked', { status: 403, body: 'Your network is blocked' }],
    ['blocked', { status: 200, body: '<h1>Your network is blocked</h1>' }],
    ['blocked', { status: 403, body: '{"error":"Your IP address has been blocked"}' }],
    ['blocked', { status: 403, body: 'Access denied' }],
    ['challenged', { status: 429, body: 'Unusual traffic from your computer network' }],
    ['challenged', { status: 503, body: 'Enable JavaScript and cookies to continue' }],
    ['challenged', { status: 200, body: page('Verify you are human') }],
  ])('of nobody in particular is %s', (kind, response) => {
    expect(classify(response)).toMatchObject({ outcome: { kind } })
    expect(classify(response)).not.toHaveProperty('vendor')
  })

  it('is found in bytes, in any case of letters, up to the last character of 16 KiB', () => {
    const sign = 'ID="PX-CAPTCHA"'
    const before = (count: number) => ' '.repeat(count) + sign
    expect(kindOf({ status: 200, body: before(16_384 - sign.length) })).toBe('challenged')
    expect(kindOf({ status: 200, body: before(16_385 - sign.length) })).toBe('ok')
    const bytes = new TextEncoder().encode(page('请点击按钮开始验证'))
    expect(classify({ status: 200, body: bytes })).toMatchObject({ vendor: 'tencent' })
  })

  it('is found in headers of every shape', () => {
    const name = 'X-Amzn-Waf-Action'
    const shapes = [
      { [name]: 'challenge' },
      { [name]: ['challenge'] },
      new Headers({ [name]: 'challenge' }),
      new Map([[name, 'challenge']]),
    ]
    for (const headers of shapes) expect(kindOf({ status: 200, headers })).toBe('challenged')
  })
})

describe('protection that is merely there', () => {
  const text = 'A long article about nothing in particular. '.repeat(20)
  it.each<[string, TargetResponse]>([
    ['a ray', { status: 200, headers: { 'cf-ray': '1-VIE', server: 'cloudflare' } }],
    [
      'cookies',
      {
        status: 200,
        headers: { 'set-cookie': ['_abck=1~0~', 'datadome=x', '__cf_bm=y', 'rbzid=z'] },
      },
    ],
    [
      'a server’s name',
      { status: 200, headers: { server: 'ddos-guard', 'x-datadome': 'protected' } },
    ],
    [
      'every script on a page with text',
      {
        status: 200,
        body: page(
          'News',
          VENDOR_MARKS.map(([mark]) => `<script src="//${mark}"></script>`).join('') + text,
        ),
      },
    ],
    [
      'a widget in an application’s shell',
      {
        status: 200,
        body: page(
          'App',
          '<div id="root"></div><script src="//hcaptcha.com/1/api.js"></script>' +
            '<script type="module" src="/assets/index.js"></script>',
        ),
      },
    ],
    [
      'a widget in a form',
      {
        status: 200,
        body: page('Contact', '<form><label>Name</label><div class="g-recaptcha"></div></form>'),
      },
    ],
    [
      'an article that quotes a block',
      {
        status: 200,
        body: page('How to', `${text.repeat(6)} you have been blocked; verify you are human`),
      },
    ],
    ['a message that quotes a block', { status: 200, body: '{"text":"You have been blocked"}' }],
    ['a login', { status: 401, body: page('Access Denied', 'Access denied: log in') }],
    [
      'a script with every sign',
      {
        status: 200,
        headers: { 'content-type': 'application/javascript' },
        body: VENDOR_RULES.flatMap((rule) => rule.body ?? []).join('\n'),
      },
    ],
    ['a page not found', { status: 404, headers: { 'cf-ray': 'x' }, body: page('Not found', 'x') }],
  ])('is no block: %s', (_, response) => {
    expect(classify(response)).toMatchObject({ outcome: { kind: 'ok' } })
  })

  it('names the vendor all the same', () => {
    expect(classify({ status: 200, headers: { 'cf-ray': '1' } }).vendor).toBe('cloudflare')
    expect(classify({ status: 403, headers: { server: 'AkamaiGHost' } }).vendor).toBe('akamai')
  })

  it('leaves a page that is cut off alone', () => {
    const start = page('x', '<script src="/_Incapsula_Resource?"></script>').slice(0, -14)
    expect(kindOf({ status: 200, body: start })).toBe('challenged')
    expect(kindOf({ status: 200, body: start.padEnd(16_384) })).toBe('ok')
  })
})

describe('rules of one’s own', () => {
  const mine = { outcome: 'blocked', confidence: 1, body: ['go away, robot'] } as const

  it('stand in place of the others, or before them', () => {
    const body = page('Just a moment...', 'Go away, ROBOT')
    expect(classify({ status: 200, body }, { rules: [mine] })).toMatchObject({
      outcome: { kind: 'blocked', evidence: 'body has "go away, robot"' },
      confidence: 1,
    })
    expect(classify({ status: 200, body }, { rules: [mine, ...VENDOR_RULES] }).confidence).toBe(1)
    expect(classify({ status: 200, body }, { rules: [] }).outcome.kind).toBe('ok')
  })

  it.each<[unknown, RegExp]>([
    [5, /^rules must be an array of at most 1000, got 5/],
    [
      Array.from({ length: 1001 }, () => mine),
      /^rules must be an array of at most 1000, got an array of 1001/,
    ],
    [[null], /^rules\[0\] must be an object, got null/],
    [[{ ...mine, outcome: 'ok' }], /^rules\[0\].outcome must be rate_limited, .* got "ok"/],
    [[mine, { ...mine, confidence: Number.NaN }], /^rules\[1\].confidence must be .*, got NaN/],
    [[{ ...mine, body: ['abc'] }], /^rules\[0\].body must be an array of texts of 4 to 256/],
    [[{ ...mine, body: 'abcd' }], /^rules\[0\].body must be an array/],
    [[{ ...mine, body: [] }], /^rules\[0\].header must be given/],
    [[{ ...mine, title: 5 }], /^rules\[0\].title must be a text, got 5/],
    [[{ ...mine, url: 5 }], /^rules\[0\].url must be a text, got 5/],
    [[{ ...mine, header: { name: 'x' } }], /^rules\[0\].header must be { name, value }/],
    [[{ ...mine, status: 403 }], /^rules\[0\].status must be \[least, most\], got 403/],
    [[{ ...mine, page: 'long' }], /^rules\[0\].page must be 'short' or 'empty', got "long"/],
    [[{ ...mine, outcome: 1, confidence: 2 }], /outcome must .*; rules\[0\].confidence must/],
  ])('are refused when bad', (rules, message) => {
    const run = () => classify({ status: 200 }, { rules: rules as [] })
    expect(run).toThrow(OstlerError)
    expect(run).toThrow(message)
  })

  it('of the house are lower case and well-formed', () => {
    for (const rule of VENDOR_RULES) {
      const texts = [
        ...(rule.body ?? []),
        rule.title,
        rule.url,
        rule.header?.name,
        rule.header?.value,
      ]
      for (const one of texts) expect(one).toBe(one?.toLowerCase())
      // Short marks would slow every scan down.
      for (const mark of rule.body ?? []) expect(mark.length).toBeGreaterThanOrEqual(8)
    }
  })
})

describe('classify', () => {
  const mark = fc.constantFrom(
    ...VENDOR_RULES.flatMap((rule) => rule.body ?? []),
    '<script',
    '>',
    '<',
  )
  const junk = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.uint8Array(),
    fc.array(mark).map((marks) => marks.join('')),
  )

  it('answers any answer', () => {
    const headers = fc.oneof(
      fc.dictionary(
        fc.constantFrom('retry-after', 'x-ratelimit-reset', 'date', 'a'),
        fc.anything(),
      ),
      fc.anything(),
    )
    fc.assert(
      fc.property(fc.anything(), headers, junk, fc.anything(), (status, hdrs, body, url) => {
        const response = { status, headers: hdrs, body, url } as unknown as TargetResponse
        const found = classify(response)
        expect(found.confidence).toBeGreaterThan(0)
        const wait = found.outcome.retryAfterMs
        if (wait !== undefined) expect(wait).toBeGreaterThanOrEqual(0)
        expect(classify(response)).toEqual(found)
      }),
      { numRuns: 2000 },
    )
  })

  it('finds a mark wherever it stands, as a plain search does', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), fc.nat(3000), fc.string(), (before, pad, after) => {
        const sign = 'Find-This-Mark'
        const rules = [{ outcome: 'blocked', confidence: 1, body: [sign] }] as const
        const text = before + 'find-this-mar'.repeat(pad % 7) + ' '.repeat(pad)
        expect(classify({ status: 200, body: text + sign + after }, { rules }).confidence).toBe(1)
        expect(classify({ status: 200, body: text + after }, { rules }).confidence).not.toBe(1)
      }),
    )
  })

  it.each([
    ['openings', '<script '],
    ['scripts that do not end', '<script>'],
    ['closings of the other case', '<script></SCRIPT>'],
    ['sources without a value', '<script src src '],
    ['near misses', 'window._cf_chl_op'],
    ['titles', '<title>'],
    ['spaces', ' \t\n'],
    ['marks', 'hcaptcha.com'],
    ['entities', '&#39;&#x27;'],
  ])('takes time linear in a hostile body of %s', (_, unit) => {
    const fill = (length: number) => ({
      status: 200,
      headers: { 'retry-after': unit.repeat(1000), ratelimit: `; ${unit}`.repeat(1000) },
      body: `hcaptcha.com bmak.sensor_data${unit.repeat(Math.ceil(length / unit.length))}`,
      url: unit.repeat(1000),
    })
    const timed = (length: number) => {
      const response = fill(length)
      let best = Infinity
      for (let i = 0; i < 20; i++) {
        const start = performance.now()
        classify(response)
        best = Math.min(best, performance.now() - start)
      }
      return best
    }
    timed(16_000)
    // A megabyte costs what its first 16 KiB do; a quadratic step would take seconds.
    expect(timed(1_000_000)).toBeLessThan(5)
  })
})
