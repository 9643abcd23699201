import { describe, expect, test } from 'vitest'
import { parseLogLine } from '../../packages/cli/src/log/combined.ts'
import type { Replayed } from '../../packages/cli/src/log/replay.ts'
import { Reorder } from '../../packages/cli/src/log/reorder.ts'
import { file, ostler } from './rig.ts'

/** A line of a combined log, `second` seconds after ten. */
function line(ip: string, second: number, user = '-'): string {
  const pad = (value: number): string => String(value).padStart(2, '0')
  const time = `${pad(10 + Math.floor(second / 3600))}:${pad(Math.floor(second / 60) % 60)}:${pad(second % 60)}`
  return `${ip} - ${user} [17/May/2015:${time} +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8"`
}

const TEN_MS = Date.UTC(2015, 4, 17, 10)

async function replayed(log: string, ...options: readonly string[]): Promise<Replayed> {
  const { code, out } = await ostler(['replay', file(log), '--json', ...options])
  expect(code).toBe(0)
  return JSON.parse(out) as Replayed
}

test('limits by hand-checked sums', async () => {
  // Two in ten seconds: a's hits at 0 and 3 pass, 5 and 9 do not, 10 and 13 do (0 and 3 have just left).
  const log = [
    line('a', 0),
    line('b', 1),
    line('a', 3),
    line('a', 5),
    line('a', 9),
    line('a', 10),
    line('a', 13),
    line('b', 14),
  ].join('\n')
  expect(await replayed(log, '--limit', '2', '--window', '10000')).toEqual({
    lines: 8,
    bad: 0,
    clamped: 0,
    requests: 8,
    limited: 2,
    fromMs: TEN_MS,
    toMs: TEN_MS + 14_000,
    clients: 2,
    limitedClients: [
      {
        client: 'a',
        requests: 6,
        limited: 2,
        firstLimitedAtMs: TEN_MS + 5_000,
        longestWaitMs: 5_000,
      },
    ],
  })
})

test('puts lines back in order within --reorder, and clamps and counts those beyond', async () => {
  const seconds = [0, 30, 10, 20, 100, 1]
  const log = seconds.map((second) => line('a', second)).join('\n')
  const near = await replayed(log, '--reorder', '200000')
  expect([near.clamped, near.fromMs, near.toMs]).toEqual([0, TEN_MS, TEN_MS + 100_000])
  const far = await replayed(log, '--reorder', '30000')
  expect(far.clamped).toBe(1)
  const none = await replayed(log, '--reorder', '0', '--limit', '1', '--window', '15000')
  // 0, 30 pass; 10 and 20 count as 30: limited; 100 passes; 1 counts as 100: limited.
  expect([none.clamped, none.limited]).toEqual([3, 3])
})

test('tells clients by user, where asked', async () => {
  const log = [line('a', 0, 'ann'), line('b', 1, 'ann'), line('a', 2, 'bob')].join('\n')
  const byUser = await replayed(log, '--by', 'user', '--limit', '1')
  expect(byUser.limitedClients.map(({ client, limited }) => [client, limited])).toEqual([
    ['ann', 1],
  ])
})

test('takes a tier of several policies from a file', async () => {
  const tier = file({
    policies: [
      { name: 'second', limit: 1, windowMs: 1_000 },
      { name: 'minute', limit: 3, windowMs: 60_000 },
    ],
  })
  const log = [0, 0, 1, 2, 3].map((second) => line('a', second)).join('\n')
  expect((await replayed(log, '--tier', tier)).limited).toBe(2)
})

test('says never where the tier lets nobody through', async () => {
  const { limitedClients } = await replayed(line('a', 0), '--limit', '0')
  expect(limitedClients[0].longestWaitMs).toBeNull()
  const { out } = await ostler(['replay', file(line('a', 0)), '--limit', '0'])
  expect(out).toMatch(/^a +1 +1 +never +2015-05-17 10:00:00Z$/m)
})

test('reports bad lines by number and goes on', async () => {
  const bad = [
    'nonsense',
    '',
    'a - - [99/May/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 5',
    'a - - [17/Mai/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 5',
    'a - - [31/Feb/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 5',
    'a - - [17/May/2015:25:00:00 +0000] "GET / HTTP/1.1" 200 5',
    `${'a'.repeat(200)} - - [17/May/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 5`,
    'x'.repeat(70_000),
    '\u0000\u0001',
  ]
  const log = [line('a', 0), ...bad, line('a', 1)].join('\r\n')
  const { code, out, err } = await ostler(['replay', file(log)])
  expect(code).toBe(0)
  expect(out).toContain('2 requests of 1 client, ')
  expect(out).toContain('8 of 11 lines are no requests')
  const numbers = [...err.matchAll(/^line (\d+): /gm)].map(([, number]) => Number(number))
  expect(numbers).toEqual([2, 4, 5, 6, 7, 8, 9, 10])
})

describe('a line', () => {
  test('of the common format will do', () => {
    expect(parseLogLine('::1 - ann [17/May/2015:12:00:00 +0200] "GET / HTTP/1.0" 304 -')).toEqual({
      ip: '::1',
      user: 'ann',
      atMs: TEN_MS,
    })
  })

  test('may quote what it likes in its request', () => {
    const text = 'a - - [17/May/2015:05:30:00 -0430] "GET /\\"x\\" HTTP/1.1" 200 5 "-" "un"closed'
    expect(parseLogLine(text)).toEqual({ ip: 'a', user: '-', atMs: TEN_MS })
  })
})

test('holds lines back no longer than it must', () => {
  const given: (readonly [string, number])[] = []
  const reorder = new Reorder(10, (client, atMs) => given.push([client, atMs]))
  reorder.add({ client: 'b', atMs: 105 })
  reorder.add({ client: 'a', atMs: 100 })
  expect(given).toEqual([])
  reorder.add({ client: 'c', atMs: 112 })
  expect(given).toEqual([['a', 100]])
  reorder.add({ client: 'late', atMs: 90 })
  expect(given.at(-1)).toEqual(['late', 100])
  reorder.end()
  expect(given.map(([client]) => client)).toEqual(['a', 'late', 'b', 'c'])
  expect(reorder.clamped).toBe(1)
})

test('shows so many of the most limited as asked, and how many more there are', async () => {
  const log = ['a', 'b', 'b', 'c', 'c', 'c']
    .flatMap((client) => [line(client, 0), line(client, 0)])
    .join('\n')
  const { out } = await ostler(['replay', file(log), '--limit', '1', '--top', '2'])
  const clients = [...out.matchAll(/^([abc]) +\d/gm)].map(([, client]) => client)
  expect(clients).toEqual(['c', 'b'])
  expect(out).toContain('and 1 more: --top 3')
  for (const text of out.split('\n')) expect(text.length).toBeLessThanOrEqual(80)
})

test.each([
  [['--limit', '1', '--tier', 'x']],
  [['--limit', '-1']],
  [['--limit', 'many']],
  [['--window', '0']],
  [['--by', 'colour']],
  [['--tier', '/nowhere/tier.json']],
])('refuses %j', async (options) => {
  const { code, err } = await ostler(['replay', file(line('a', 0)), ...options])
  expect(code).toBe(2)
  expect(err).not.toContain('    at ')
})

test('refuses a tier by the paths of what is wrong with it', async () => {
  const tier = file({ policies: [{ name: 'a', limit: -1, windowMs: 0 }] })
  const { code, err } = await ostler(['replay', file(line('a', 0)), '--tier', tier])
  expect(code).toBe(2)
  expect(err).toMatch(/policies\[0\]\.limit.*policies\[0\]\.windowMs/)
})

test('refuses a log without a request in it', async () => {
  const { code, err } = await ostler(['replay', '-'], { stdin: 'no log\n' })
  expect(code).toBe(2)
  expect(err).toContain('line 1: is not of the common or combined log format')
  expect(err).toContain('standard input has no request in it (USAGE)')
})
