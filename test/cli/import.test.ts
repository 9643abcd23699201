import { readFileSync, statSync } from 'node:fs'
import type { Agent } from '@ostler/core'
import { describe, expect, test } from 'vitest'
import { file, freshPath, ostler } from './rig.ts'

interface Result {
  readonly code: number
  readonly agents: readonly Agent[]
  readonly report: string
}

async function imported(text: string, ...options: readonly string[]): Promise<Result> {
  const { code, out, err } = await ostler(['import', file(text), '--out', '-', ...options])
  return { code, agents: code === 0 ? (JSON.parse(out) as Agent[]) : [], report: err }
}

describe('text', () => {
  const good: readonly (readonly [line: string, id: string, url?: string])[] = [
    ['192.0.2.1:8080', 'http://192.0.2.1:8080'],
    ['gate.example:80', 'http://gate.example:80'],
    ['GATE.Example:80', 'http://gate.example:80'],
    ['[2001:db8::1]:1080', 'http://[2001:db8::1]:1080'],
    ['http://192.0.2.1:8080/', 'http://192.0.2.1:8080'],
    ['https://192.0.2.1:443', 'https://192.0.2.1:443'],
    ['SOCKS4://192.0.2.1:1080', 'socks4://192.0.2.1:1080'],
    ['socks5://[2001:db8::1]:1080', 'socks5://[2001:db8::1]:1080'],
    ['192.0.2.1:80:ann:pw', 'http://192.0.2.1:80', 'http://ann:pw@192.0.2.1:80'],
    ['192.0.2.1:80:ann:p:w', 'http://192.0.2.1:80', 'http://ann:p%3Aw@192.0.2.1:80'],
    ['ann:p@w@192.0.2.1:80', 'http://192.0.2.1:80', 'http://ann:p%40w@192.0.2.1:80'],
    ['[2001:db8::1]:80:a:b', 'http://[2001:db8::1]:80', 'http://a:b@[2001:db8::1]:80'],
    ['http://ann@192.0.2.1:80', 'http://192.0.2.1:80', 'http://ann@192.0.2.1:80'],
    ['http://a%40b:c%2Fd@h.example:1', 'http://h.example:1', 'http://a%40b:c%2Fd@h.example:1'],
  ]
  test.each(good)('reads %s', async (line, id, url = id) => {
    const { agents } = await imported(`${line}\n`)
    expect(agents).toEqual([{ id, url }])
  })

  const bad: readonly (readonly [line: string, reason: RegExp])[] = [
    ['192.0.2.1', /has no port/],
    ['192.0.2.1:', /port must be from 1 to 65535, got ""/],
    ['192.0.2.1:0', /port must be from 1 to 65535/],
    ['192.0.2.1:65536', /port must be from 1 to 65535/],
    ['192.0.2.1:http', /port must be from 1 to 65535/],
    ['192.0.2.1:-80', /port must be/],
    ['192.0.2.256:80', /host must be/],
    ['192.0.2:80', /host must be/],
    ['999:80', /host must be/],
    [':80', /has no host/],
    ['::1:80', /has no host/],
    ['[::1:80', /has no host/],
    ['[not-six]:80', /host must be/],
    ['a..b:80', /host must be/],
    ['-a.example:80', /host must be/],
    ['192.0.2.1:80:ann', /has a user and no password/],
    ['192.0.2.1 80', /has a space/],
    ['ftp://192.0.2.1:21', /scheme must be one of/],
    ['javascript://x:1', /scheme must be one of/],
    ['http://192.0.2.1:80/path', /has a path/],
    ['http://192.0.2.1:80?x=1', /has a path, a query/],
    ['http://192.0.2.1', /has no port/],
    ['http://%zz:pw@192.0.2.1:80', /credentials with a %/],
    ['http://a%00b:pw@192.0.2.1:80', /control character/],
    ['192.0.2.1:80\u0000', /control character/],
    [`${'a'.repeat(5_000)}:80`, /more than 4096 characters/],
    [`192.0.2.1:80:ann:${'p'.repeat(2_000)}`, /password must have at most/],
    ['<script>:80', /host must be/],
    ['../../etc/passwd:80', /host must be/],
  ]
  test.each(bad)('names the line and the reason of %j', async (line, reason) => {
    const { code, agents, report } = await imported(`192.0.2.9:80\n${line}\n192.0.2.8:80`)
    expect(code).toBe(0)
    expect(agents).toHaveLength(2)
    const problem = report.split('\n').find((one) => one.startsWith('line '))
    expect(problem).toMatch(/^line 2: /)
    expect(problem).toMatch(reason)
    expect(problem!.length).toBeLessThan(160)
  })

  test('passes over blank lines, comments, CRLF and a byte order mark, and counts them in line numbers', async () => {
    const { agents, report } = await imported(
      '\uFEFF# a list\r\n\r\n192.0.2.1:80\r\n  192.0.2.2:80  \r\nbad\r\n',
    )
    expect(agents.map((agent) => agent.id)).toEqual(['http://192.0.2.1:80', 'http://192.0.2.2:80'])
    expect(report).toContain('line 5: has no port')
  })

  test('gives lines without a scheme the one of --scheme', async () => {
    const { agents } = await imported('192.0.2.1:80\nhttp://192.0.2.1:80', '--scheme', 'socks5')
    expect(agents.map((agent) => agent.id)).toEqual([
      'socks5://192.0.2.1:80',
      'http://192.0.2.1:80',
    ])
  })
})

describe('duplicates', () => {
  test('fold into the first, which holds', async () => {
    const { agents, report } = await imported(
      '192.0.2.1:80\nhttp://192.0.2.1:80\n192.0.2.1:81\nHTTP://192.0.2.1:80/',
    )
    expect(agents).toHaveLength(2)
    expect(report).toContain('line 2: the agent of line 1\n')
    expect(report).toContain('line 4: the agent of line 1\n')
    expect(report).toContain('folded     2 duplicates')
  })

  test('lend the first what it lacks', async () => {
    const { agents, report } = await imported(
      'host,port,country,city\nh.example,80,,Graz\nh.example,80,AT,Wien',
    )
    expect(agents).toEqual([
      { id: 'http://h.example:80', url: 'http://h.example:80', country: 'AT', city: 'Graz' },
    ])
    expect(report).toContain('line 3: the agent of line 2; differs in city, the first holds')
  })

  test('are not those that differ in user or scheme; made-up ids are numbered', async () => {
    const { agents } = await imported(
      '192.0.2.1:80:ann:x\n192.0.2.1:80:bob:x\nsocks5://192.0.2.1:80\n192.0.2.1:80:ann:y',
    )
    expect(agents.map((agent) => agent.id)).toEqual([
      'http://192.0.2.1:80',
      'http://192.0.2.1:80#2',
      'socks5://192.0.2.1:80',
    ])
    expect(agents[0].url).toBe('http://ann:x@192.0.2.1:80')
  })

  test('are those of one id, where the file gives ids', async () => {
    const { agents } = await imported(
      JSON.stringify([
        { id: 'a', country: 'DE' },
        { id: 'a', lat: 1, lon: 2 },
      ]),
    )
    expect(agents).toEqual([{ id: 'a', country: 'DE', lat: 1, lon: 2 }])
  })
})

describe('csv', () => {
  test('reads columns in any order, by any of their names', async () => {
    const { agents, report } = await imported(
      'Country_Code;Latitude;Longitude;Exit IP;Type;Port;IP;ASN;Tags;note\n' +
        'de;50.1;8.7;203.0.113.7;SOCKS5;1080;192.0.2.1;AS64500;fast|home;"kept; out"\n',
    )
    expect(agents).toEqual([
      {
        id: 'socks5://192.0.2.1:1080',
        country: 'DE',
        lat: 50.1,
        lon: 8.7,
        exitIp: '203.0.113.7',
        asn: 64500,
        tags: ['fast', 'home'],
        url: 'socks5://192.0.2.1:1080',
      },
    ])
    expect(report).toContain('columns not used: "note"')
  })

  test('reads quotes, ids and urls', async () => {
    const { agents } = await imported(
      'id,url,city,username,password\n"a ""1""", http://192.0.2.1:80 ,"Graz, AT",,\n',
    )
    expect(agents).toEqual([{ id: 'a "1"', city: 'Graz, AT', url: 'http://192.0.2.1:80' }])
  })

  test('takes agents without url by their id, as JSON does', async () => {
    const { agents, report } = await imported(
      'id,country,city,lat,lon,exit_ip,tags\nvie1,AT,Vienna,48.2,16.4,203.0.113.7,fast|home\n,AT,,,,,\n',
    )
    expect(agents).toEqual([
      {
        id: 'vie1',
        country: 'AT',
        city: 'Vienna',
        lat: 48.2,
        lon: 16.4,
        exitIp: '203.0.113.7',
        tags: ['fast', 'home'],
      },
    ])
    expect(report).toContain('line 3: has no host')
  })

  test('takes a row with an id and no endpoint; half an endpoint is bad', async () => {
    const { agents, report } = await imported(
      'id,host,port\na,192.0.2.1,80\nb,,\nc,192.0.2.1,\nd,,80\n',
    )
    expect(agents).toEqual([{ id: 'a', url: 'http://192.0.2.1:80' }, { id: 'b' }])
    expect(report).toContain('line 4: port must be')
    expect(report).toContain('line 5: has no host')
  })

  test('is not seen in a lone word, but taken where it is said', async () => {
    expect((await imported('id\nvie1\n')).code).toBe(2)
    expect((await imported('id\nvie1\n', '--format', 'csv')).agents).toEqual([{ id: 'vie1' }])
  })

  const bad: readonly (readonly [row: string, reason: RegExp])[] = [
    ['192.0.2.1,80,DE', /has 3 fields, the header has 5/],
    ['192.0.2.1,80,DE,1,2,3', /has 6 fields/],
    ['192.0.2.1,eighty,DE,1,2', /port must be/],
    [',80,DE,1,2', /has no host/],
    ['192.0.2.1,80,Germany,1,2', /country must be/],
    ['192.0.2.1,80,XX,1,2', /country must be/],
    ['192.0.2.1,80,DE,91,2', /lat must be degrees/],
    ['192.0.2.1,80,DE,north,2', /lat must be a number/],
    ['192.0.2.1,80,DE,1,', /lon must be degrees/],
    ['"192.0.2.1,80,DE,1,2', /quote that is not closed/],
    ['"192.0.2.1"x,80,DE,1,2', /between a closing quote/],
  ]
  test.each(bad)('names what is wrong with %j', async (row, reason) => {
    const { agents, report } = await imported(
      `host,port,country,lat,lon\n${row}\n192.0.2.8,80,AT,1,2`,
    )
    expect(agents.map((agent) => agent.id)).toEqual(['http://192.0.2.8:80'])
    expect(report).toMatch(/^line 2: /m)
    expect(report).toMatch(reason)
  })

  test.each([
    ['host,country\n', /must name url, or host and port/],
    ['host,port,ip\n', /has host twice/],
    ['"host,port\n', /quote that is not closed/],
  ])('refuses the header %j', async (text, reason) => {
    const { code, report } = await imported(text, '--format', 'csv')
    expect(code).toBe(2)
    expect(report).toMatch(reason)
  })
})

/** An entry in the shape of public proxy lists, as far as they go. */
function listed(changes: Readonly<Record<string, unknown>> = {}): unknown {
  return {
    protocol: 'socks5',
    username: null,
    password: null,
    host: '192.0.2.1',
    port: 1080,
    timeout: 0.18,
    exit_ip: '203.0.113.9',
    asn: { autonomous_system_number: 64500, autonomous_system_organization: 'Example' },
    geolocation: {
      city: { geoname_id: 1, names: { en: 'Frankfurt am Main' } },
      country: { iso_code: 'DE' },
      location: { latitude: 50.1, longitude: 8.7, time_zone: 'Europe/Berlin' },
      subdivisions: [{ iso_code: 'HE', names: { en: 'Hesse' } }],
    },
    ...changes,
  }
}

describe('json', () => {
  test('reads the shape of public proxy lists', async () => {
    const { agents } = await imported(JSON.stringify([listed()]))
    expect(agents).toEqual([
      {
        id: 'socks5://192.0.2.1:1080',
        country: 'DE',
        region: 'DE-HE',
        city: 'Frankfurt am Main',
        lat: 50.1,
        lon: 8.7,
        exitIp: '203.0.113.9',
        asn: 64500,
        url: 'socks5://192.0.2.1:1080',
      },
    ])
  })

  test('does without city, region, place and network', async () => {
    const geolocation = { country: { iso_code: 'DE' } }
    const { agents } = await imported(
      JSON.stringify([listed({ geolocation, asn: null }), listed({ port: 1, geolocation: null })]),
    )
    expect(agents.map(({ id, country, city }) => [id, country, city])).toEqual([
      ['socks5://192.0.2.1:1080', 'DE', undefined],
      ['socks5://192.0.2.1:1', undefined, undefined],
    ])
  })

  test('counts agents and exits', async () => {
    const entries = [listed(), listed({ port: 1081 }), listed({ port: 1, exit_ip: '203.0.113.1' })]
    const { report } = await imported(JSON.stringify(entries))
    expect(report).toContain('3 agents, 2 exits\n')
  })

  test('reads agents as the scheduler takes them, and what it wrote itself', async () => {
    const agents = [{ id: 'a', country: 'US', region: 'US-CA', weight: 2, url: 'http://x:y@h:1' }]
    const first = await imported(JSON.stringify({ agents }))
    expect(first.agents).toEqual(agents)
    const second = await imported(JSON.stringify(first.agents, null, 1))
    expect(second.agents).toEqual(agents)
  })

  const bad: readonly (readonly [element: unknown, reason: RegExp])[] = [
    [null, /must be an object/],
    ['192.0.2.1:80', /must be an object/],
    [{}, /must have an id, or a host and a port/],
    [{ id: 5 }, /must have an id/],
    [{ id: '' }, /id/],
    [{ id: 'x', country: 'de' }, /country must be/],
    [{ id: 'x', weight: 0 }, /weight must be/],
    [{ id: 'x', lat: 1 }, /lon must be/],
    [listed({ host: 5 }), /host must be a string/],
    [listed({ port: '80' }), /port must be/],
    [listed({ port: 1.5 }), /port must be/],
    [listed({ protocol: 'smtp' }), /scheme must be one of/],
  ]
  test.each(bad)('names what is wrong with %j', async (element, reason) => {
    const { agents, report } = await imported(JSON.stringify([{ id: 'ok' }, element]))
    expect(agents).toEqual([{ id: 'ok' }])
    expect(report).toMatch(/^element 1: /m)
    expect(report).toMatch(reason)
  })

  test.each(['{', '[1,', '{}', '{"agents": 5}'])('refuses the file %j', async (text) => {
    const { code, report } = await imported(text, '--format', 'json')
    expect(code).toBe(2)
    expect(report).toMatch(/JSON/)
  })
})

describe('credentials', () => {
  const secret = 'hunter2'
  const texts: readonly (readonly [name: string, text: string])[] = [
    ['good lines', `192.0.2.1:80:ann:${secret}\n192.0.2.1:80:ann:${secret}`],
    ['other passwords', `192.0.2.1:80:ann:x\n192.0.2.1:80:ann:${secret}`],
    ['bad ports', `192.0.2.2:80\nhttp://ann:${secret}@192.0.2.1:0\nann:${secret}@192.0.2.1:x`],
    ['bad hosts', `192.0.2.2:80\nhttp://ann:${secret}@192..1:5\nann:${secret}@-:4`],
    ['bad csv', `url,country\nhttp://ann:${secret}@192.0.2.1:80,Germany\n192.0.2.1:1,DE`],
    ['bad json', JSON.stringify([{ id: 'ok' }, { id: 'x', url: 5, country: secret.slice(0, 0) }])],
    ['broken json', `[{"id": "a", "url": "http://ann:${secret}@`],
    ['long urls', JSON.stringify([{ id: 'ok' }, { id: 'x', url: `http://${secret.repeat(999)}` }])],
  ]
  test.each(texts)('are in no report: %s', async (_, text) => {
    const { err } = await ostler(['import', file(text), '--out', freshPath()])
    const { out } = await ostler(['import', file(text)])
    expect(err).not.toContain(secret)
    expect(out).not.toContain(secret)
  })

  test('are written to a file for its owner alone', async () => {
    const path = freshPath()
    await ostler(['import', file(`192.0.2.1:80:ann:${secret}`), '--out', path])
    expect(readFileSync(path, 'utf8')).toContain(`ann:${secret}@`)
    expect(statSync(path).mode & 0o077).toBe(0)
  })
})

test('reads standard input', async () => {
  const { code, out } = await ostler(['import', '-'], { stdin: '192.0.2.1:80\n192.0.2.2:80\n' })
  expect(code).toBe(0)
  expect(out).toMatch(/^2 agents, 2 exits\n/)
})

test('accounts for every entry: an agent, a duplicate, or bad', async () => {
  const { out } = await ostler(['import', file('a:1\nb:1\na:1\nbad\n\n# no entry\nc:1')])
  expect(out).toContain('3 agents, 3 exits')
  expect(out).toContain('read       5 entries')
  expect(out).toContain('folded     1 duplicate\n')
  expect(out).toContain('bad        1')
})

test('with --strict writes nothing if a line is bad', async () => {
  const path = freshPath()
  const { code, err } = await ostler(['import', file('a:1\nbad'), '--strict', '--out', path])
  expect(code).toBe(2)
  expect(err).toContain('has 1 bad entry, and --strict is set')
  expect(err).toContain('line 2: ')
  expect(() => statSync(path)).toThrow('ENOENT')
})

test('refuses a file without an agent in it', async () => {
  for (const text of ['', '# nothing', 'bad', '[]', 'host,port\n']) {
    const { code, err } = await ostler(['import', file(text)])
    expect(code).toBe(2)
    expect(err).toContain('has no agent in it (USAGE)')
  }
})
