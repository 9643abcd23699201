import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { domainOf, type UrlLike } from '../../packages/core/src/domain.ts'
import { OstlerError } from '../../packages/core/src/errors.ts'

function refusal(target: unknown, options?: unknown): OstlerError {
  try {
    domainOf(target as string, options as { scope?: 'host' })
  } catch (error) {
    expect(error).toBeInstanceOf(OstlerError)
    return error as OstlerError
  }
  throw new Error(`domainOf(${JSON.stringify(target)}) did not throw`)
}

describe('the domain of a target', () => {
  it.each([
    ['https://shop.example/p/1', 'shop.example', 'shop.example'],
    ['https://www.shop.co.uk/p?q=1#x', 'shop.co.uk', 'www.shop.co.uk'],
    ['Shop.Example.COM:8080', 'example.com', 'shop.example.com'],
    ['shop.example/path?x=http://other.example/', 'shop.example', 'shop.example'],
    ['shop.example?x', 'shop.example', 'shop.example'],
    ['shop.example#x', 'shop.example', 'shop.example'],
    ['  https://shop.example  ', 'shop.example', 'shop.example'],
    ['HTTPS://SHOP.EXAMPLE./', 'shop.example', 'shop.example'],
    ['a.shop.example.', 'shop.example', 'a.shop.example'],
    ['http://user:pass@api.shop.example:81/', 'shop.example', 'api.shop.example'],
    ['https://user@evil.example@good.example/', 'good.example', 'good.example'],
    ['ws://live.shop.example/s', 'shop.example', 'live.shop.example'],
    ['wss://live.shop.example/s', 'shop.example', 'live.shop.example'],
    ['amqp://Q.Shop.Example:5672/vhost', 'shop.example', 'q.shop.example'],
    ['amqps://xn--mnchen-3ya.de', 'xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
    ['https://www.München.de/', 'xn--mnchen-3ya.de', 'www.xn--mnchen-3ya.de'],
    ['ＳＨＯＰ。example', 'shop.example', 'shop.example'],
    ['http://ex%61mple.com', 'example.com', 'example.com'],
    ['r3---sn-4g5e6.googlevideo.com', 'googlevideo.com', 'r3---sn-4g5e6.googlevideo.com'],
    ['_dmarc.shop.example', 'shop.example', '_dmarc.shop.example'],
    ['me.github.io', 'me.github.io', 'me.github.io'],
    ['a.me.github.io', 'me.github.io', 'a.me.github.io'],
    ['city.kawasaki.jp', 'city.kawasaki.jp', 'city.kawasaki.jp'],
    ['x.foo.ck', 'x.foo.ck', 'x.foo.ck'],
    ['co.uk', 'co.uk', 'co.uk'],
    ['https://github.io/', 'github.io', 'github.io'],
    ['intranet', 'intranet', 'intranet'],
    ['http://localhost:3000/x', 'localhost', 'localhost'],
    ['localhost:3000', 'localhost', 'localhost'],
    ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
    ['http://127.0.0.1.:80', '127.0.0.1', '127.0.0.1'],
    ['0x7f.1', '127.0.0.1', '127.0.0.1'],
    ['http://2130706433/', '127.0.0.1', '127.0.0.1'],
    ['http://0177.0.0.1/', '127.0.0.1', '127.0.0.1'],
    ['amqp://0x7f000001', '127.0.0.1', '127.0.0.1'],
    ['http://[::1]:8080/', '[::1]', '[::1]'],
    ['[2001:DB8:0:0::1]', '[2001:db8::1]', '[2001:db8::1]'],
    ['2001:DB8:0:0::1', '[2001:db8::1]', '[2001:db8::1]'],
    ['fe80::1', '[fe80::1]', '[fe80::1]'],
    ['http://[::ffff:1.2.3.4]/', '[::ffff:102:304]', '[::ffff:102:304]'],
  ])('%s is %s, by host %s', (target, domain, host) => {
    expect(domainOf(target)).toBe(domain)
    expect(domainOf(target, { scope: 'registrable' })).toBe(domain)
    expect(domainOf(target, { scope: 'host' })).toBe(host)
    expect(domainOf(domain)).toBe(domain)
    expect(domainOf(host, { scope: 'host' })).toBe(host)
  })

  it('takes a URL object', () => {
    expect(domainOf(new URL('https://u:p@www.shop.example/x'))).toBe('shop.example')
    expect(domainOf(new URL('amqp://Q.Shop.Example/x'))).toBe('shop.example')
  })
})

describe('an invalid target', () => {
  it.each<[unknown, RegExp]>([
    [undefined, /^target undefined: must be a host or a URL/],
    [null, /^target null/],
    [42, /^target 42/],
    [{}, /^target an object/],
    [{ href: 5 } as unknown as UrlLike, /^target an object/],
    ['', /^target "": .*it has no host/],
    ['   ', /it has no host/],
    ['/etc/passwd', /it has no host/],
    ['//shop.example', /it has no host/],
    ['?x', /it has no host/],
    ['https://', /it has no host/],
    ['https:///shop.example', /it has no host/],
    ['https://\\shop.example', /it has no host/],
    [
      'ftp://shop.example/',
      /^target URL: the scheme "ftp" is not supported: it must be http, https/,
    ],
    ['file:///etc/passwd', /^target URL: the scheme "file" is not/],
    ['javascript:alert(1)', /^target "javascript" URI/],
    ['http:shop.example', /^target "http" URI/],
    ['http:/shop.example', /^target "http" URI/],
    ['user:pw@shop.example', /^target "shop.example": .*credentials need a scheme/],
    ['.', /has no valid host/],
    ['.shop.example', /has no valid host/],
    ['shop..example', /has no valid host/],
    ['shop.example..', /has no valid host/],
    ['*.shop.example', /has no valid host/],
    ['sh!op.example', /has no valid host/],
    ["shop'.example", /has no valid host/],
    ['shop example', /^target "shop example": must be/],
    ['shop.example:99999', /^target "shop.example:99999"/],
    ['https://shop.example:x/', /^target "shop.example:x"/],
    ['1.2.3.4.5', /^target "1.2.3.4.5"/],
    ['300.1.1.1', /^target "300.1.1.1"/],
    ['[::1', /^target "\[::1"/],
    ['1::2::3', /^target "1::2::3"/],
    ['http://[fe80::1%25eth0]/', /^target/],
    ['xn--ü', /^target "xn--ü"/],
    ['shop.\u0000example', /no control characters/],
    ['https://shop.example/a\r\nHost: x', /^target "shop.example": must have no control/],
    [`${'a'.repeat(64)}.example`, /has no valid host/],
    [`${'a.'.repeat(127)}example`, /at most 253 characters in its host/],
    [`https://shop.example/${'a'.repeat(16_384)}`, /at most 16384 characters, has 16405/],
  ])('%j is refused', (target, message) => {
    const error = refusal(target)
    expect(error.code).toBe('INVALID_TARGET')
    expect(error.message).toMatch(message)
  })

  it.each([
    'https://secret:pa55w0rd@bad host/secret?pa55w0rd#secret',
    'https://secret:pa55w0rd@shop..example/',
    'https://secret:pa55/w0rd@shop.example/',
    'https://secret:pa55?w0rd@shop.example/',
    'secret:pa55w0rd@shop.example',
    'secret:pa55w0rd@shop.example/\n',
    'https://shop..example/secret/pa55w0rd',
    'https://shop..example?secret=pa55w0rd',
    'https://shop..example#secret',
    'https://shop..example\\secret',
    'ftp://secret:pa55w0rd@shop.example/secret',
    'data:text/plain,secret',
    `https://secret:pa55w0rd@shop.example/${'secret'.repeat(5000)}`,
  ])('number %# leaves nothing private in its error', (target) => {
    const error = refusal(target)
    const told = `${error.message} ${error.stack} ${String(error.cause)} ${JSON.stringify(error)}`
    expect(told).not.toMatch(/secret|pa55|w0rd/)
  })

  it('refuses an unknown scope', () => {
    const error = refusal('shop.example', { scope: 'site' })
    expect(error.code).toBe('INVALID_OPTIONS')
    expect(error.message).toBe(`scope must be 'registrable' or 'host', got "site"`)
  })
})

describe('domainOf', () => {
  it('gives its own answer again, lower case, and its host contains its domain', () => {
    const url = fc.webUrl({ withQueryParameters: true, withFragments: true })
    fc.assert(
      fc.property(url, (target) => {
        const domain = domainOf(target)
        const host = domainOf(target, { scope: 'host' })
        expect(domainOf(domain)).toBe(domain)
        expect(host === domain || host.endsWith(`.${domain}`)).toBe(true)
        expect(domain).toBe(domain.toLowerCase())
        expect(domainOf(new URL(target))).toBe(domain)
      }),
      { numRuns: 1000 },
    )
  })

  it('answers or throws INVALID_TARGET, whatever it is given', () => {
    const piece = fc.constantFrom(
      'http',
      '://',
      ':',
      '/',
      '@',
      '.',
      '[',
      ']',
      '::1',
      'a',
      '%',
      '80',
    )
    const pieces = fc.array(piece).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(pieces, fc.string({ unit: 'binary' }), fc.anything()), (junk) => {
        try {
          const domain = domainOf(junk as string)
          expect(domainOf(domain)).toBe(domain)
        } catch (error) {
          expect((error as OstlerError).code).toBe('INVALID_TARGET')
        }
      }),
      { numRuns: 3000 },
    )
  })
})
