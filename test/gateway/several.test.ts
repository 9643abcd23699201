import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KeyFile } from '@ostler/gateway'
import { beforeAll, expect, test } from 'vitest'
import { startRedis } from '../servers/redis.ts'
import { startAgents } from './rig/agents.ts'
import { closing } from './rig/closing.ts'
import { askAt, ROOMY, type Answer } from './rig/gateway.ts'
import { buildProgram, serveProgram } from './rig/program.ts'
import { startTarget, type Target } from './rig/targets.ts'

beforeAll(buildProgram, 120_000)

interface Several {
  readonly target: Target
  /** Asks the gateway of this number to fetch a path of the target. */
  fetch(gateway: number, path: string, more?: Readonly<Record<string, unknown>>): Promise<Answer>
  ask(gateway: number, path: string): Promise<Answer>
}

/** Gateways that run as programs of their own, on one store. */
async function startSeveral(count: number, store: string, dir: string): Promise<Several> {
  const target = await startTarget()
  const running = await startAgents(6)
  const agents = running.map(({ asked: _asked, ...agent }) => agent)
  const keysFile = join(dir, 'keys.json')
  const { key } = new KeyFile({ path: keysFile }).create({
    kind: 'test',
    tier: 'roomy',
    scopes: ['fetch', 'network', 'usage'],
    nowMs: Date.now(),
  })
  const config = join(dir, 'config.json')
  const gateway = { allowTargets: ['127.0.0.1'], tiers: { roomy: ROOMY }, log: 'warn' }
  writeFileSync(config, JSON.stringify({ store, agents, keys: keysFile, gateway }))
  const programs = Array.from({ length: count }, () => serveProgram('--config', config))
  const urls = (await Promise.all(programs)).map(({ url }) => url)
  const ask = (at: number, path: string): Promise<Answer> => askAt(`${urls[at]}${path}`, { key })
  return {
    target,
    ask,
    fetch: (at, path, more = {}) =>
      askAt(`${urls[at]}/fetch`, { key, body: { url: `${target.url}${path}` }, ...more }),
  }
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-several-'))
  closing(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

test('a block that is reported through one gateway steers the other at once, on Redis', async () => {
  const server = await startRedis()
  closing(() => server.stop())
  await steersAtOnce(await startSeveral(2, `${server.url}?budgetMs=1000`, folder()))
}, 60_000)

test('a block that is reported through one gateway steers the other at once, on SQLite', async () => {
  const dir = folder()
  await steersAtOnce(await startSeveral(2, `sqlite:${join(dir, 'state.db')}`, dir))
}, 60_000)

/** Six agents, blocked by turns through either gateway: none is ever used again. */
async function steersAtOnce(several: Several): Promise<void> {
  const used: string[] = []
  for (let i = 0; i < 6; i++) {
    const { status, json } = await several.fetch(i % 2, '/blocked')
    expect([status, json.meta?.blocked]).toEqual([200, true])
    used.push(json.meta.agent.id)
  }
  expect(new Set(used).size).toBe(6)
  for (const at of [0, 1]) {
    expect((await several.fetch(at, '/')).status).toBe(502)
    const { counts } = (await several.ask(at, '/network/health/127.0.0.1')).json
    // So many blocks in a row are an incident of the target: what is excluded then is limited only.
    expect(counts).toMatchObject({ available: 0 })
    expect(counts.limited + counts.unavailable).toBe(6)
  }
}

test('an operation that one gateway has done is repeated by the other', async () => {
  const server = await startRedis()
  closing(() => server.stop())
  const several = await startSeveral(2, `${server.url}?budgetMs=1000`, folder())
  const more = { headers: { 'idempotency-key': 'order-1' } }
  const first = await several.fetch(0, '/', more)
  const second = await several.fetch(1, '/', more)
  expect(second.text).toBe(first.text)
  expect(second.headers.get('idempotent-replayed')).toBe('true')
  expect(several.target.visits).toHaveLength(1)
}, 60_000)
