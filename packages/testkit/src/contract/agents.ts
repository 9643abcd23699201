import type { AgentChange } from '@ostler/core'
import { holds, same } from './assert.ts'
import type { ContractCase } from './runner.ts'

function puts(changes: readonly AgentChange[]): string[] {
  return changes.flatMap((change) => (change.kind === 'put' ? [change.agent.id] : []))
}

/** `putAgents`, `removeAgents`, `agents`. */
export const agentCases: readonly ContractCase[] = [
  {
    name: 'putAgents: keeps agents as they are given, in order',
    async run(store) {
      const agents = [{ id: 'b', country: 'DE', tags: ['x'], weight: 2 }, { id: 'a' }] as const
      await store.putAgents(agents)
      const { changes } = await store.agents(0)
      same(
        changes.filter((change) => change.kind === 'put'),
        agents.map((agent) => ({ kind: 'put', agent })),
        'changes since 0',
      )
    },
  },
  {
    name: 'putAgents: replaces an agent whole',
    async run(store) {
      await store.putAgents([{ id: 'a', country: 'DE', drained: true }])
      const { version } = await store.agents(0)
      await store.putAgents([{ id: 'a', country: 'AT' }])
      const { changes } = await store.agents(version)
      same(changes, [{ kind: 'put', agent: { id: 'a', country: 'AT' } }], 'since then')
    },
  },
  {
    name: 'removeAgents: removes, and passes over unknown ids',
    async run(store) {
      await store.putAgents([{ id: 'a' }, { id: 'b' }])
      const { version } = await store.agents(0)
      await store.removeAgents(['nobody', 'a'])
      const { changes } = await store.agents(version)
      same(changes, [{ kind: 'removed', id: 'a' }], 'since then')
      same(puts((await store.agents(0)).changes), ['b'], 'since 0')
    },
  },
  {
    name: 'agents: is empty, at the same version, where nothing changed',
    async run(store) {
      await store.putAgents([{ id: 'a' }])
      const { version } = await store.agents(0)
      const again = await store.agents(version)
      same([again.version, again.reset, again.changes], [version, false, []], 'changes')
    },
  },
  {
    name: 'agents: gives changes from version to version, none lost',
    async run(store) {
      const seen: string[] = []
      let version = 0
      for (const id of ['a', 'b', 'c']) {
        await store.putAgents([{ id }])
        const answer = await store.agents(version)
        holds(answer.version > version, 'a higher version')
        seen.push(...puts(answer.changes))
        version = answer.version
      }
      same(seen, ['a', 'b', 'c'], 'seen')
    },
  },
]
