import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERRORS, type ApiErrorCode } from '@ostler/api'
import { beforeAll, expect, test } from 'vitest'
import { until } from '../servers/until.ts'
import { campaign, nightly, seed, TIMEOUT_MS, type Report } from './fuzz/campaign.ts'
import { fuzzHttp } from './fuzz/http.ts'
import { samples } from './fuzz/samples.ts'
import { startWorld, type World } from './fuzz/world.ts'
import { fuzzWs } from './fuzz/ws.ts'
import { askAt, type Answer } from './rig/gateway.ts'

const root = join(import.meta.dirname, '../..')
console.info(`seed: OSTLER_SEED=${seed}`)

// What is fuzzed is what is built, as users run it.
beforeAll(() => {
  const built = spawnSync('npx', ['tsc', '-b', 'packages/gateway'], { cwd: root, encoding: 'utf8' })
  if (built.status !== 0) throw new Error(built.stdout)
}, 120_000)

test(
  '14,000 callers who speak HTTP badly are answered by the book, and leave nothing behind',
  async () => {
    const world = await startWorld()
    const report = await campaign(world, 14_000, (seed, index) => fuzzHttp(seed, index, world))
    await expectSound(world, report)
    expectReached(report, 14_000, [
      '200',
      'BAD_REQUEST',
      'MISSING_TARGET_URL',
      'INVALID_TARGET_URL',
      'INVALID_GEO',
      'UNAUTHORIZED',
      'FORBIDDEN',
      'INSUFFICIENT_SCOPE',
      'TARGET_FORBIDDEN',
      'NOT_FOUND',
      'IDEMPOTENCY_KEY_REUSED',
      'PAYLOAD_TOO_LARGE',
      'UNSUPPORTED_MEDIA_TYPE',
      'EXPECTATION_FAILED',
      'VALIDATION_ERROR',
      'RATE_LIMITED',
      'HEADERS_TOO_LARGE',
      'NO_AGENT_AVAILABLE',
      'BAD_GATEWAY',
      'TARGET_TIMEOUT',
    ])
  },
  TIMEOUT_MS,
)

test(
  '6,000 callers who speak WebSocket badly are answered by the book, and leave nothing behind',
  async () => {
    const world = await startWorld()
    const report = await campaign(world, 6_000, (seed, index) => fuzzWs(seed, index, world))
    await expectSound(world, report)
    expectReached(report, 6_000, [
      '101',
      'connected',
      'BAD_REQUEST',
      'VALIDATION_ERROR',
      'UNAUTHORIZED',
      'FORBIDDEN',
      'NOT_FOUND',
      'RATE_LIMITED',
      'NO_AGENT_AVAILABLE',
      'BAD_GATEWAY',
      'TARGET_FORBIDDEN',
      'close 1000',
      'close 1002',
      'close 1007',
      'close 1008',
      'close 1009',
      'close 1011',
    ])
  },
  TIMEOUT_MS,
)

/** Nothing broke, the gateway is alive, and its books agree. */
async function expectSound(world: World, report: Report): Promise<void> {
  const { problems, answers, standing, cases, tookMs } = report
  const stallMs = Math.max(...standing.stalls.map((stall) => stall.stallMs))
  console.info(`${cases} cases in ${tookMs} ms, the longest stall ${Math.round(stallMs)} ms`)
  expect(problems.join('\n\n')).toBe('')
  expect(await ask(world, '/healthz')).toMatchObject({ status: 200, json: { status: 'ok' } })
  expect(undocumented(standing.metrics)).toEqual([])
  // No store is out of reach here, and nothing shuts down: of what is the gateway's own doing nothing may come up.
  const own = (
    ['INTERNAL_ERROR', 'STORE_UNAVAILABLE', 'OVERLOADED', 'SHUTTING_DOWN'] as const
  ).filter((code: ApiErrorCode) => answers.has(code) || answers.has(`${ERRORS[code].status}`))
  expect(own).toEqual([])
  await expectBooked(world, standing.metrics)
}

/** The cases went everywhere: else they show nothing. */
function expectReached({ answers, cases }: Report, count: number, names: readonly string[]): void {
  if (nightly || cases === 1) return
  expect(cases).toBe(count)
  expect(names.filter((name) => !answers.has(name))).toEqual([])
}

/** Answers of 5xx that docs/contract.md does not name for their route. */
function undocumented(metrics: string): readonly string[] {
  const [, table = ''] = readFileSync(join(root, 'docs/contract.md'), 'utf8').split(
    '<!-- server-errors -->',
  )
  const named = [...table.matchAll(/^\| `(\S+)`\s*\| ([\d, ]+?)\s*\|/gm)].map(
    ([, route, statuses]) => [route, statuses.split(', ')] as const,
  )
  expect(named.length).toBeGreaterThan(3)
  return samples(metrics, 'ostler_http_requests_total')
    .filter(({ labels }) => Number(labels['status']) >= 500)
    .map(({ labels }) => [labels['route'].replaceAll(/:(\w+)/g, '{$1}'), labels['status']])
    .filter(([route, status]) => new Map(named).get(route)?.includes(status) !== true)
    .map(([route, status]) => `${status} of ${route}`)
}

/** `/usage` of all keys together comes to what the metrics say, and no key holds a permit. */
async function expectBooked(world: World, metrics: string): Promise<void> {
  const { roomy, open, tight, narrow } = world.keys
  const sums = { http: 0, ws: 0, amqp: 0 }
  for (const key of [roomy, open, tight, narrow]) {
    let answer = await ask(world, '/usage', key)
    await until('its key has something left', async () => {
      answer = await ask(world, '/usage', key)
      return answer.status === 200
    })
    const { total, ok, blocked, failed, byProtocol, limits } = answer.json
    expect(ok + blocked + failed).toBe(total)
    expect(byProtocol.http + byProtocol.ws + byProtocol.amqp).toBe(total)
    for (const { policy, used } of limits) if (policy === 'permits') expect(used).toBe(0)
    for (const protocol of ['http', 'ws', 'amqp'] as const) sums[protocol] += byProtocol[protocol]
  }
  const counted = { http: 0, ws: 0, amqp: 0 }
  for (const { labels, value } of samples(metrics, 'ostler_outcomes_total')) {
    // Of who left before he was answered nothing is said to anybody.
    if (labels['outcome'] !== 'neutral')
      counted[labels['protocol'] as keyof typeof counted] += value
  }
  expect(sums).toEqual(counted)
}

async function ask({ port }: World, path: string, key: string | null = null): Promise<Answer> {
  return askAt(`http://127.0.0.1:${port}${path}`, { key })
}
