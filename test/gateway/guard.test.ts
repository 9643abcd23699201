import {
  createGuard,
  dnsResolver,
  refusedRange,
  TargetError,
  type TargetUrl,
} from '@ostler/gateway'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serveNames } from './rig/name-server.ts'

const PUBLIC = '93.184.215.14'

/** Every name is at a public address: what is refused is refused for its spelling. */
const guard = createGuard({ resolve: async () => [PUBLIC] })

async function codeOf(text: string, with_ = guard): Promise<string> {
  try {
    await with_.check(with_.parse(text))
    return 'fetched'
  } catch (error) {
    if (error instanceof TargetError) return error.code
    throw error
  }
}

async function refusal(work: () => unknown): Promise<TargetError> {
  try {
    await work()
  } catch (error) {
    if (error instanceof TargetError) return error
    throw error
  }
  throw new Error('was not refused')
}

const FORBIDDEN = [
  // IPv4 as it is, and in the spellings that the URL standard knows.
  'http://127.0.0.1/',
  'http://127.0.0.1:8080/',
  'http://127.1/',
  'http://127.0.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0x7f.0.0.1/',
  'http://0x7f.1/',
  'http://0X7F.0X00.0x0.0x1/',
  'http://0177.0.0.1/',
  'http://0177.1/',
  'http://017700000001/',
  'http://0000177.0.0.01/',
  'http://127.0.0.1./',
  'http://%31%32%37.0.0.1/',
  'http://127.0.0.%31/',
  'http://127%2e0%2e0%2e1/',
  'http://127。0。0。1/',
  'http://127.0．0｡1/',
  'http://①②⑦.⓪.⓪.①/',
  'http://１２７.0.0.1/',
  'http://127.0.0.1\t/',
  'http://12\n7.0.0.1/',
  ' http://127.0.0.1/ ',
  'http:\\\\127.0.0.1\\',
  'http:127.0.0.1',
  'http:///127.0.0.1',
  'HTTP://127.0.0.1/',
  'http://127.0.0.1#@good.example/',
  'http://127.0.0.1?@good.example/',
  'http://127.0.0.1/@good.example/',
  'http://127.0.0.1\\@good.example/',
  'http://0/',
  'http://0.0.0.0/',
  'http://0.1.2.3/',
  'http://10.1.2.3/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1/',
  'http://3232235777/',
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://0xa9.0xfe.0xa9.0xfe/',
  'http://0251.0376.0251.0376/',
  'http://169.254.170.2/',
  'http://100.100.100.200/',
  'http://168.63.129.16/',
  'http://192.0.0.192/',
  'http://100.64.0.1/',
  'http://198.18.0.1/',
  'http://192.0.2.1/',
  'http://224.0.0.1/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'https://127.0.0.1/',
  'ws://127.0.0.1/',
  'wss://127.0.0.1/',
  'amqp://127.0.0.1/',
  'amqp://user:pass@127.0.0.1/vhost',
  'amqps://127.0.0.1/',
  'amqp://0x7f.1/',
  'amqp://2130706433/',
  'amqp://%31%32%37.0.0.1/',
  'amqp://[::1]/',
  // IPv6, and IPv4 within it.
  'http://[::]/',
  'http://[::1]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[0000::0001]/',
  'http://[::127.0.0.1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[0:0:0:0:0:FFFF:7F00:0001]/',
  'http://[::ffff:169.254.169.254]/',
  'http://[::ffff:0:127.0.0.1]/',
  'http://[64:ff9b::127.0.0.1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[64:ff9b::a9fe:a9fe]/',
  'http://[64:ff9b:1::5db8:d70e]/',
  'http://[2002:7f00:1::]/',
  'http://[2002:5db8:d70e::1]/',
  'http://[2001:0:53aa:64c:0:fffe:807f:fffe]/',
  'http://[2606:2800:21f:cb07:0:5efe:127.0.0.1]/',
  'http://[fe80::1]/',
  'http://[fe80::5efe:10.0.0.1]/',
  'http://[fec0::1]/',
  'http://[fc00::1]/',
  'http://[fd00:ec2::254]/',
  'http://[ff02::1]/',
  'http://[100::1]/',
  'http://[2001:db8::1]/',
  'http://[3fff::1]/',
  'http://[4000::1]/',
  'http://[5f00::1]/',
  // Names.
  'http://localhost/',
  'http://LOCALHOST/',
  'http://loc%61lhost/',
  'http://ｌｏｃａｌｈｏｓｔ/',
  'http://localhost:8080/',
  'http://a.localhost/',
  'http://a.b.localhost/',
  'http://metadata.google.internal/',
  'http://printer.local/',
  'http://router.lan/',
  'http://nas.home.arpa/',
  'http://hidden.onion/',
  'http://redis/',
  'http://0xg/',
  'amqp://rabbitmq/',
]

const INVALID = [
  '',
  'good.example',
  '//good.example/',
  '/path',
  'http://',
  'http:///',
  'http://?x',
  'http://good@127.0.0.1/',
  'http://good.example@127.0.0.1/',
  'http://good.example:80@127.0.0.1/',
  'http://127.0.0.1@good.example/',
  'http://user:secret@good.example/',
  'http://:secret@good.example/',
  'ftp://good.example/',
  'file:///etc/passwd',
  'gopher://127.0.0.1:6379/_x',
  'data:text/plain,x',
  'javascript:alert(1)',
  'http://good.example:0/',
  'http://good.example:65536/',
  'http://good.example:-1/',
  'http://good.example:x/',
  'http://good.example:22/',
  'http://good.example:25/',
  'http://good.example:6667/',
  'http://good.example:10080/',
  'http://localhost./',
  'http://a.localhost./',
  'http://good.example./',
  'http://good.example../',
  'http://good..example/',
  'http://.good.example/',
  'http://[fe80::1%25eth0]/',
  'http://[fe80::1%eth0]/',
  'http://[::1/',
  'http://[v1.x]/',
  'http://256.0.0.1/',
  'http://1.2.3.4.5/',
  'http://127.0.0.1.0x/',
  'http://4294967296/',
  'http://good%00.example/',
  'http://good%0d%0a.example/',
  'http://good example/',
  'http://good<.example/',
  "http://good'.example/",
  `http://${'a'.repeat(64)}.example/`,
  `http://${'a.'.repeat(127)}example/`,
  `http://good.example/${'a'.repeat(8_192)}`,
  'amqp:///vhost',
  'amqp:good',
]

const FETCHED = [
  'http://good.example/',
  'https://good.example:8443/path?query#fragment',
  'HTTP://GOOD.EXAMPLE/',
  'http://bücher.example/',
  'http://127.0.0.1.good.example/',
  'http://localhost.example/',
  'http://internal.example/',
  'http://my_service.good.example/',
  'http://93.184.215.14/',
  'http://1572395790/',
  'http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/',
  'http://[::ffff:93.184.215.14]/',
  'http://[64:ff9b::93.184.215.14]/',
  'ws://good.example/',
  'wss://good.example/',
  'amqp://guest:guest@good.example/%2f',
  'amqps://good.example',
]

describe('the guard', () => {
  it.each(FORBIDDEN)('forbids %j', async (text) => {
    expect(await codeOf(text)).toBe('TARGET_FORBIDDEN')
  })

  it.each(INVALID)('finds %j to be no target', async (text) => {
    expect(await codeOf(text)).toBe('INVALID_TARGET_URL')
  })

  it.each(FETCHED)('lets %j be fetched', async (text) => {
    expect(await codeOf(text)).toBe('fetched')
  })

  it('reads a target into its parts, without fragment', () => {
    expect(guard.parse('HTTPS://Bücher.Example:8443/a%20b?c=d#e')).toEqual({
      url: 'https://xn--bcher-kva.example:8443/a%20b?c=d',
      scheme: 'https',
      host: 'xn--bcher-kva.example',
      port: 8443,
      path: '/a%20b?c=d',
    })
  })

  it.each([
    ['http://good.example', 80],
    ['https://good.example', 443],
    ['ws://good.example', 80],
    ['wss://good.example', 443],
    ['amqp://good.example', 5672],
    ['amqps://good.example', 5671],
    ['amqp://good.example:80', 80],
  ])('knows the port of %s', (text, port) => {
    expect(guard.parse(text).port).toBe(port)
  })

  it('takes the credentials of a broker out of its URL', () => {
    const read = guard.parse('amqp://us%40er:pa%2fss@GOOD.example/vhost')
    expect(read.url).toBe('amqp://good.example/vhost')
    expect(read.credentials).toEqual({ username: 'us@er', password: 'pa/ss' })
  })

  it('writes the host of a broker in its one spelling', () => {
    expect(guard.parse('amqp://0x5d.0xb8.215.14/').url).toBe('amqp://93.184.215.14/')
    expect(guard.parse('amqp://[2606:2800:21f:CB07::0]/').url).toBe(
      'amqp://[2606:2800:21f:cb07::]/',
    )
  })

  it('says nothing of a URL that may hold secrets', async () => {
    for (const text of ['http://user:hunter2@good.example/', 'hunter2://good.example/']) {
      const { message } = await refusal(() => guard.parse(text))
      expect(message).not.toContain('hunter2')
    }
  })

  it('says what is wrong', () => {
    const saying = (text: string): string => {
      try {
        guard.parse(text)
        return 'nothing'
      } catch (error) {
        return (error as Error).message
      }
    }
    expect(saying('http://good.example./')).toBe('the target has a host that ends in a dot')
    expect(saying('http://good.example:22')).toBe(
      "the target has port 22, which is another protocol's",
    )
    expect(saying('http://printer.local')).toBe('the target is a private name: .local is')
    expect(saying('http://printer')).toBe('the target is a private name: it has no dot')
    expect(saying('ftp://good.example')).toBe(
      'the target must be of http, https, ws, wss, amqp or amqps',
    )
  })

  it('names the range, and not the address', async () => {
    const inside = createGuard({ resolve: async () => ['10.20.30.40'] })
    const { code, message } = await refusal(() => inside.check(inside.parse('http://a.example')))
    expect(code).toBe('TARGET_FORBIDDEN')
    expect(message).toBe('the target resolves to a private address, which is not fetched')
  })
})

describe('any text', () => {
  const piece = fc.oneof(
    fc.constantFrom(...'http: https: amqp: // / \\ @ : # ? . % [ ] :: 。 １ user'.split(' ')),
    fc.constantFrom(...'127 0x7f 0177 1 0 255 2130706433 ffff 64:ff9b:: %31'.split(' ')),
    fc.constantFrom('localhost', 'example', 'internal', '\t', ' ', '\u00ad', '%00', '99999'),
    fc.string({ maxLength: 3 }),
  )
  const text = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''))

  it('is no target, or one that is read again as itself and is at public addresses', async () => {
    const target = fc.oneof(
      text,
      text.map((rest) => `http://${rest}`),
      text.map((rest) => `amqp://${rest}`),
      fc.webUrl(),
    )
    const property = fc.asyncProperty(target, async (input) => {
      try {
        const read = guard.parse(input)
        const { credentials: _, ...rest } = read
        expect(guard.parse(read.url)).toEqual(rest)
        const { addresses } = await guard.check(read)
        for (const address of addresses) expect(refusedRange(address)).toBe(null)
      } catch (error) {
        if (!(error instanceof TargetError)) throw error
      }
    })
    await fc.assert(property, { numRuns: 5_000 })
  })
})

describe('names', () => {
  it('are refused if any of their addresses is', async () => {
    for (const bad of ['10.0.0.1', '::1', 'fe80::1%eth0', '::ffff:127.0.0.1', 'no address', '']) {
      const mixed = createGuard({ resolve: async () => [PUBLIC, bad, '2606:2800::1'] })
      expect(await codeOf('http://a.example', mixed), bad).toBe('TARGET_FORBIDDEN')
    }
  })

  it('are refused if a bad address comes after more than are kept', async () => {
    const many = [...Array.from({ length: 40 }, () => PUBLIC), '127.0.0.1']
    expect(await codeOf('http://a.example', createGuard({ resolve: async () => many }))).toBe(
      'TARGET_FORBIDDEN',
    )
  })

  it('are looked up once: an answer that changes afterwards changes nothing', async () => {
    const answers = [[PUBLIC], ['127.0.0.1']]
    let asked = 0
    const flipping = createGuard({ resolve: async () => answers[asked++] })
    const checked = await flipping.check(flipping.parse('http://a.example'))
    expect(checked.addresses).toEqual([PUBLIC])
    expect(asked).toBe(1)
    expect(await codeOf('http://a.example', flipping)).toBe('TARGET_FORBIDDEN')
  })

  it('are not looked up where they are addresses, or never public', async () => {
    const asked: string[] = []
    const noting = createGuard({
      resolve: async (host) => {
        asked.push(host)
        return [PUBLIC]
      },
    })
    await codeOf('http://10.0.0.1', noting)
    await codeOf('http://a.internal', noting)
    await codeOf('http://93.184.215.14', noting)
    expect(asked).toEqual([])
  })

  it('without an address are unresolved', async () => {
    const none = createGuard({ resolve: async () => [] })
    expect(await codeOf('http://a.example', none)).toBe('TARGET_UNRESOLVED')
    const broken = createGuard({
      resolve: async () => {
        throw new Error('SERVFAIL from 10.0.0.53')
      },
    })
    const { code, message } = await refusal(() => broken.check(broken.parse('http://a.example')))
    expect([code, message]).toEqual(['TARGET_UNRESOLVED', 'the host of the target was not found'])
  })

  it('are given up when the signal is aborted, however long the resolver takes', async () => {
    const silent = createGuard({ resolve: async () => new Promise(() => {}) })
    const abort = new AbortController()
    const checked = silent.check(silent.parse('http://a.example'), abort.signal)
    abort.abort(new Error('left'))
    await expect(checked).rejects.toThrow('left')
    await expect(silent.check(silent.parse('http://a.example'), abort.signal)).rejects.toThrow(
      'left',
    )
  })

  it('that were read elsewhere are checked as well', async () => {
    const target: TargetUrl = {
      url: 'http://localhost/',
      scheme: 'http',
      host: 'localhost',
      port: 80,
      path: '/',
    }
    expect((await refusal(() => guard.check(target))).code).toBe('TARGET_FORBIDDEN')
  })
})

describe('DNS', () => {
  const { signal } = new AbortController()
  const V6 = '2606:2800:21f:cb07:6820:80da:af6b:8b2c'

  async function asked(host: string): Promise<string | readonly string[]> {
    const server = await serveNames({
      'both.example': { a: [PUBLIC, '93.184.215.15'], aaaa: V6 },
      'four.example': { a: [PUBLIC] },
      'six.example': { aaaa: V6 },
      'inside.example': { a: [PUBLIC, '10.0.0.1'] },
      'none.example': {},
      'missing.example': { code: 3 },
      'refused.example': { code: 5 },
    })
    const guard = createGuard({ resolve: dnsResolver({ servers: [server] }) })
    try {
      return (await guard.check(guard.parse(`http://${host}`))).addresses
    } catch (error) {
      if (error instanceof TargetError) return error.code
      throw error
    }
  }

  it('is asked for addresses of both kinds', async () => {
    expect(await asked('both.example')).toEqual([PUBLIC, '93.184.215.15', V6])
    expect(await asked('four.example')).toEqual([PUBLIC])
    expect(await asked('six.example')).toEqual([V6])
    expect(await asked('inside.example')).toBe('TARGET_FORBIDDEN')
  })

  it('that knows no address leaves a host unresolved', async () => {
    for (const host of ['none.example', 'missing.example', 'refused.example']) {
      expect(await asked(host), host).toBe('TARGET_UNRESOLVED')
    }
  })

  it('is believed as long as it says, and 30 s at most', async () => {
    const zone = {
      'day.example': { a: [PUBLIC], ttl: 86_400 },
      'now.example': { a: [PUBLIC], ttl: 0 },
    }
    const server = await serveNames(zone)
    const clock = { ms: 1_000, now: () => clock.ms }
    const resolve = dnsResolver({ servers: [server], clock })
    const both = async (): Promise<readonly (readonly string[])[]> =>
      Promise.all(['day.example', 'now.example'].map((host) => resolve(host, signal)))
    expect(await both()).toEqual([[PUBLIC], [PUBLIC]])
    zone['day.example'].a = ['10.0.0.1']
    zone['now.example'].a = ['10.0.0.2']
    clock.ms += 29_999
    expect(await both()).toEqual([[PUBLIC], ['10.0.0.2']])
    clock.ms += 2
    expect(await both()).toEqual([['10.0.0.1'], ['10.0.0.2']])
  })

  it('is asked once by all who ask at once, and again after a failure', async () => {
    const asked: string[] = []
    const zone: Record<string, { readonly a?: readonly string[]; readonly code?: number }> = {
      'a.example': { a: [PUBLIC] },
      'late.example': { code: 2 },
    }
    const server = await serveNames(zone, asked)
    const resolve = dnsResolver({ servers: [server] })
    await Promise.all(Array.from({ length: 20 }, async () => resolve('a.example', signal)))
    // By either kind of address.
    expect(asked).toEqual(['a.example', 'a.example'])
    await expect(resolve('late.example', signal)).rejects.toThrow('late.example')
    zone['late.example'] = { a: [PUBLIC] }
    expect(await resolve('late.example', signal)).toEqual([PUBLIC])
  })

  it('that is silent is given up', async () => {
    const startMs = performance.now()
    expect(await asked('silent.example')).toBe('TARGET_UNRESOLVED')
    expect(performance.now() - startMs).toBeLessThan(15_000)
  })
})

describe('what is allowed', () => {
  it('by a range is fetched, and nothing else', async () => {
    const allowing = createGuard({ allow: ['127.0.0.0/8', '::1', 'fd00::/8'] })
    expect(await codeOf('http://127.0.0.1:8080/', allowing)).toBe('fetched')
    expect(await codeOf('http://[::ffff:127.0.0.1]/', allowing)).toBe('fetched')
    expect(await codeOf('http://[::1]/', allowing)).toBe('fetched')
    expect(await codeOf('http://[fd12::1]/', allowing)).toBe('fetched')
    expect(await codeOf('http://10.0.0.1/', allowing)).toBe('TARGET_FORBIDDEN')
    expect(await codeOf('http://[::2]/', allowing)).toBe('TARGET_FORBIDDEN')
    expect(await codeOf('http://[64:ff9b::127.0.0.1]/', allowing)).toBe('TARGET_FORBIDDEN')
  })

  it('by a range still needs every address to be in it or public', async () => {
    const resolve = async () => ['10.0.0.1', '192.168.0.1']
    expect(await codeOf('http://a.example', createGuard({ allow: ['10.0.0.0/8'], resolve }))).toBe(
      'TARGET_FORBIDDEN',
    )
  })

  it('by its name is fetched wherever it is, and what is below it is not', async () => {
    const allowing = createGuard({
      allow: ['Broker.internal', 'localhost'],
      resolve: async () => ['10.0.0.1'],
    })
    expect(await codeOf('amqp://broker.internal', allowing)).toBe('fetched')
    expect(await codeOf('http://localhost:81', allowing)).toBe('fetched')
    expect(await codeOf('http://a.localhost', allowing)).toBe('TARGET_FORBIDDEN')
    expect(await codeOf('http://b.internal', allowing)).toBe('TARGET_FORBIDDEN')
  })

  it('must be addresses, CIDRs and hosts', () => {
    for (const bad of ['10.0.0.0/33', 'http://a', 'a b', '', 'a/b', 'user@a', 'a:80']) {
      expect(() => createGuard({ allow: [bad] }), bad).toThrow(/allow must hold/)
    }
  })
})

describe('the range that keeps an address from being public', () => {
  it.each([
    ['8.8.8.8', null],
    ['172.32.0.1', null],
    ['100.128.0.1', null],
    ['2606:4700::1111', null],
    ['::ffff:8.8.8.8', null],
    ['64:ff9b::8.8.8.8', null],
    ['127.0.0.1', 'loopback'],
    ['10.0.0.1', 'private'],
    ['100.64.0.1', 'carrier-grade NAT'],
    ['169.254.1.1', 'link-local'],
    ['169.254.169.254', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['192.0.2.7', 'documentation'],
    ['198.51.100.7', 'documentation'],
    ['203.0.113.7', 'documentation'],
    ['198.19.0.1', 'benchmarking'],
    ['0.0.0.0', 'unspecified'],
    ['255.255.255.255', 'broadcast'],
    ['239.1.1.1', 'multicast'],
    ['250.0.0.1', 'reserved'],
    ['192.0.0.8', 'reserved'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::8.8.8.8', 'IPv4-compatible'],
    ['::ffff:10.0.0.1', 'private (IPv4-mapped)'],
    ['64:ff9b::a00:1', 'private (NAT64)'],
    ['64:ff9b:1::808:808', 'local-use NAT64'],
    ['::ffff:0:8.8.8.8', 'IPv4-translated'],
    ['2002:808:808::1', '6to4'],
    ['2001::1', 'Teredo'],
    ['2606:4700::5efe:a00:1', 'private (ISATAP)'],
    ['2606:4700::5efe:808:808', null],
    ['fe80::1%eth0', 'link-local'],
    ['fc00::1', 'unique local'],
    ['fec0::1', 'site-local'],
    ['fd00:ec2::254', 'metadata'],
    ['ff05::2', 'multicast'],
    ['2001:db8::1', 'documentation'],
    ['2001:2::1', 'benchmarking'],
    ['1::1', 'reserved'],
    ['e000::1', 'reserved'],
    ['127.0.0.1.example', 'unreadable'],
    ['', 'unreadable'],
  ])('of %s is %s', (address, range) => {
    expect(refusedRange(address)).toBe(range)
  })
})
