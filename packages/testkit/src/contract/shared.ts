import { expectKind, same } from './assert.ts'
import { call, candidate, exact, lease, settle, T, wanting } from './fixtures.ts'
import type { SharedCase } from './runner.ts'

const a = candidate('a')

/** Two connections to one store act as one. */
export const sharedCases: readonly SharedCase[] = [
  {
    name: 'two connections: count hits together',
    async run(first, second) {
      await first.consume(call([exact(1)]))
      same((await second.consume(call([exact(1)]))).allowed, false, 'admitted')
    },
  },
  {
    name: 'two connections: know an exclusion as soon as the report has resolved',
    async run(first, second) {
      const told = await lease(first, wanting([a], 'l'))
      await settle(first, told, { kind: 'blocked' })
      same((await second.acquire(wanting([a], 'l2'))).kind, 'refused', 'acquire')
    },
  },
  {
    name: 'two connections: a lease of one may be reported to the other',
    async run(first, second) {
      const single = candidate('a', 'a', 1)
      const told = await lease(first, wanting([single], 'l'))
      same((await settle(second, told, { kind: 'ok' })).kind, 'applied', 'report')
      same((await first.acquire(wanting([single], 'l2'))).kind, 'acquired', 'the freed slot')
    },
  },
  {
    name: 'two connections: share slots, probes and permits',
    async run(first, second) {
      const single = candidate('a', 'a', 1)
      expectKind(await first.acquire(wanting([single], 'l1')), 'acquired')
      same((await second.acquire(wanting([single], 'l2'))).kind, 'refused', 'slot')
      const permit = { id: 'p', cap: 1, deadlineMs: T + 1_000 }
      await first.consume(call([], { permit }))
      const other = await second.consume(call([], { permit: { ...permit, id: 'q' } }))
      same(other.allowed, false, 'permit')
    },
  },
  {
    name: 'two connections: share the fleet',
    async run(first, second) {
      await first.putAgents([{ id: 'a' }])
      const { changes } = await second.agents(0)
      same(changes, [{ kind: 'put', agent: { id: 'a' } }], 'changes')
    },
  },
  {
    name: 'two connections: each learns what the other changed, from version to version',
    async run(first, second) {
      await first.exclude('a', 'd', T + 5_000, T)
      const known = await second.exclusions('d', 0, T)
      same(
        known.changes.map(({ exit }) => exit),
        ['a'],
        'changes since 0',
      )
      await first.exclude('b', 'd', T + 5_000, T)
      await first.putAgents([{ id: 'x' }])
      const newer = await second.exclusions('d', known.version, T)
      same(
        newer.changes.map(({ exit }) => exit),
        ['b'],
        'changes since then',
      )
      const { version } = await second.agents(0)
      await first.removeAgents(['x'])
      same((await second.agents(version)).changes, [{ kind: 'removed', id: 'x' }], 'the fleet')
    },
  },
]
