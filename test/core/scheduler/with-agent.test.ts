import { beforeEach, describe, expect, test } from 'vitest'
import {
  memoryStore,
  Scheduler,
  seededRandom,
  type Lease,
  type Outcome,
  type PickRequest,
  type PickResult,
} from '@ostler/core'
import { ManualClock } from '@ostler/testkit'
import { withAgent } from '../../../packages/core/src/scheduler/with-agent.ts'

const request = { url: 'https://shop.example/p/1' }
let clock: ManualClock
let scheduler: Scheduler<'sync'>

beforeEach(() => {
  clock = new ManualClock()
  scheduler = new Scheduler({ store: memoryStore(), clock, random: seededRandom(1) })
  scheduler.agents.upsert(['a', 'b', 'c'].map((id) => ({ id })))
})

/** How many dispatches are under way, over all agents. */
function inFlight(): number {
  return scheduler.explain(request).candidates.reduce((sum, { inFlight }) => sum + inFlight, 0)
}

const excluded = (): string[] => scheduler.health('shop.example').agents.map(({ id }) => id)

describe('withAgent', () => {
  test('gives the value of the dispatch, what it came to, and who was tried', async () => {
    const result = await scheduler.withAgent(request, (agent, lease) => {
      expect(lease.agentId).toBe(agent.id)
      expect(inFlight()).toBe(1)
      return { status: 200, body: 'hello' }
    })
    if (result.kind !== 'done') throw new Error(result.kind)
    expect(result.value.body).toBe('hello')
    expect(result.outcome.kind).toBe('ok')
    expect(result.tried).toHaveLength(1)
    expect(inFlight()).toBe(0)
  })

  test('tries each agent once, and another after a block, until one is good', async () => {
    const seen: string[] = []
    const statuses = [451, 429, 200]
    const result = await scheduler.withAgent(
      request,
      async (agent) => {
        seen.push(agent.id)
        await Promise.resolve()
        return { status: statuses[seen.length - 1] }
      },
      { attempts: 5 },
    )
    expect([...seen].sort()).toEqual(['a', 'b', 'c'])
    expect(result).toMatchObject({
      kind: 'done',
      value: { status: 200 },
      tried: [
        { outcome: { kind: 'blocked' } },
        { outcome: { kind: 'rate_limited' } },
        { outcome: { kind: 'ok' } },
      ],
    })
    expect(excluded()).toEqual(seen.slice(0, 2).sort())
    expect(inFlight()).toBe(0)
  })

  test('does not try again what another agent cannot better', async () => {
    for (const status of [200, 404, 500, 408]) {
      const result = await scheduler.withAgent(request, () => ({ status }), { attempts: 5 })
      expect(result).toMatchObject({ kind: 'done', value: { status }, tried: [{}] })
      expect(result.tried).toHaveLength(1)
    }
  })

  test('gives the last value when its attempts are used up, or no agent is left', async () => {
    const block = () => ({ status: 451 })
    const two = await scheduler.withAgent(request, block, { attempts: 2 })
    expect([two.kind, two.tried.length]).toEqual(['done', 2])
    const rest = await scheduler.withAgent(request, block, { attempts: 5 })
    expect([rest.kind, rest.tried.length]).toEqual(['done', 1])
    const none = await scheduler.withAgent(request, () => expect.fail('dispatched'))
    expect(none).toMatchObject({
      kind: 'exhausted',
      exhausted: { cause: 'all_excluded' },
      tried: [],
    })
  })

  test('passes over the agents that the request avoids, on every attempt', async () => {
    const seen: string[] = []
    const dispatch = (agent: { id: string }) => {
      seen.push(agent.id)
      return { status: 451 }
    }
    await scheduler.withAgent({ ...request, avoid: ['b'] }, dispatch, { attempts: 5 })
    expect([...seen].sort()).toEqual(['a', 'c'])
  })

  test('goes to another agent even where the one that failed would be chosen again', async () => {
    scheduler.agents.upsert([{ id: 'strong', weight: 1e6 }])
    scheduler.agents.remove(['b', 'c'])
    const seen: string[] = []
    const result = await scheduler.withAgent(
      request,
      (agent) => {
        seen.push(agent.id)
        return { status: 407 }
      },
      { attempts: 3 },
    )
    expect(seen).toEqual(['strong', 'a'])
    expect(result).toMatchObject({ kind: 'done', outcome: { kind: 'agent_error' } })
  })

  test('reports what is thrown as the target’s trouble, and throws it on', async () => {
    const error = new Error('socket hang up')
    const reported: Outcome[] = []
    const calls = witnessed(reported)
    const call = withAgent(calls, request, () => {
      throw error
    })
    await expect(call).rejects.toBe(error)
    expect(reported).toEqual([{ kind: 'target_error' }])
    expect([inFlight(), excluded()]).toEqual([0, []])
  })

  test('reports an aborted dispatch as neutral', async () => {
    const reported: Outcome[] = []
    const abort = Object.assign(new Error('gone'), { name: 'AbortError' })
    const call = withAgent(witnessed(reported), request, () => Promise.reject(abort), {
      attempts: 3,
    })
    await expect(call).rejects.toBe(abort)
    expect(reported).toEqual([{ kind: 'neutral' }])
  })

  test('tries elsewhere where its caller says that what was thrown is the agent’s doing', async () => {
    let turn = 0
    const result = await scheduler.withAgent(
      request,
      () => {
        if (turn++ === 0) throw new Error('CONNECT refused')
        return 'fine'
      },
      {
        attempts: 2,
        outcomeOf: (settled) => ({ kind: settled.kind === 'thrown' ? 'agent_error' : 'ok' }),
      },
    )
    expect(result).toMatchObject({
      kind: 'done',
      value: 'fine',
      tried: [{ outcome: { kind: 'agent_error' } }, { outcome: { kind: 'ok' } }],
    })
  })

  test('holds no lease after an outcomeOf that throws, and reports neutral', async () => {
    const reported: Outcome[] = []
    const error = new Error('cannot tell')
    const call = withAgent(witnessed(reported), request, () => 1, {
      outcomeOf: () => {
        throw error
      },
    })
    await expect(call).rejects.toBe(error)
    expect(reported).toEqual([{ kind: 'neutral' }])
    expect(inFlight()).toBe(0)
  })

  test('has reported before it picks again, and before it answers', async () => {
    const order: string[] = []
    let reports = 0
    const slow = {
      pick: async (asked: PickRequest): Promise<PickResult> => {
        order.push('pick')
        await Promise.resolve()
        return scheduler.pick(asked)
      },
      report: async (lease: Lease, outcome: Outcome): Promise<void> => {
        order.push('report')
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
        scheduler.report(lease, outcome)
        order.push('reported')
        reports++
      },
    }
    await withAgent(slow, request, () => ({ status: reports === 0 ? 451 : 200 }), { attempts: 2 })
    order.push('answer')
    expect(order).toEqual(['pick', 'report', 'reported', 'pick', 'report', 'reported', 'answer'])
  })

  test('answers the same for values that are no responses', async () => {
    for (const value of [undefined, null, 5, 'text', { ok: true }]) {
      const result = await scheduler.withAgent(request, () => value)
      expect(result).toMatchObject({ kind: 'done', value, outcome: { kind: 'ok' } })
    }
  })
})

function witnessed(reported: Outcome[]) {
  return {
    pick: (asked: PickRequest) => scheduler.pick(asked),
    report: (lease: Lease, outcome: Outcome) => {
      reported.push(outcome)
      return scheduler.report(lease, outcome)
    },
  }
}
