import { memoryStore, type Store } from '@ostler/core'
import { contractCaseNames, storeContract, type ContractRunner } from '@ostler/testkit'
import { describe, expect, it } from 'vitest'

describe('the memory store', () => {
  // Several schedulers of a process share the one object.
  storeContract({ describe, it }, async () => {
    const store = memoryStore()
    return { store, second: async () => store, close: async () => store.close() }
  })
})

describe('the memory store behind promises', () => {
  storeContract({ describe, it }, async () => {
    const store = promised(memoryStore())
    return { store, second: async () => store, close: async () => store.close() }
  })
})

describe('storeContract', () => {
  /** A runner that keeps its cases instead of running them. */
  function collect() {
    const cases = new Map<string, () => Promise<void>>()
    const runner: ContractRunner = {
      describe: (_, body) => body(),
      it: (name, body) => cases.set(name, body),
    }
    return { cases, runner }
  }
  const open = async () => {
    const store = memoryStore()
    return { store, close: async () => store.close() }
  }

  it('has at least 40 cases, each with a name of its own', () => {
    expect(contractCaseNames.length).toBeGreaterThanOrEqual(40)
    expect(new Set(contractCaseNames).size).toBe(contractCaseNames.length)
  })

  it('lists a skipped case with its reason, and runs nothing of it', async () => {
    const { cases, runner } = collect()
    const [first] = contractCaseNames
    storeContract(runner, () => Promise.reject(new Error('opened')), {
      skip: { [first]: 'not yet' },
    })
    expect([...cases.keys()]).toContain(`${first} (skipped: not yet)`)
    await cases.get(`${first} (skipped: not yet)`)!()
  })

  it('refuses a skip that names no case', () => {
    const { runner } = collect()
    expect(() => storeContract(runner, open, { skip: { nothing: 'a typo' } })).toThrow(
      'skip names no case: nothing',
    )
  })

  it('fails where a second connection is missing, unless the reason is given', async () => {
    const name = contractCaseNames.find((other) => other.startsWith('two connections'))!
    const silent = collect()
    storeContract(silent.runner, open)
    await expect(silent.cases.get(name)!()).rejects.toThrow('oneConnection')
    const stated = collect()
    storeContract(stated.runner, open, { oneConnection: 'in memory' })
    expect(stated.cases.has(`${name} (skipped: in memory)`)).toBe(true)
  })

  it.each(flaws())('finds a store that $flaw', async ({ spoil }) => {
    const { cases, runner } = collect()
    storeContract(runner, async () => {
      const store = spoil(memoryStore())
      return { store, second: async () => store, close: async () => store.close() }
    })
    let failed = 0
    for (const run of cases.values()) {
      await run().catch(() => {
        failed++
      })
    }
    expect(failed).toBeGreaterThan(0)
  })
})

/** Stores that break one sentence of the contract each. */
function flaws(): { readonly flaw: string; readonly spoil: (store: Store<'sync'>) => Store }[] {
  return [
    {
      flaw: 'counts peeks',
      spoil: (store) => ({ ...store, peek: (request) => store.consume(request) }),
    },
    {
      flaw: 'forgets operations',
      spoil: (store) => ({
        ...store,
        consume: (request) => {
          const { opId, ...rest } = request
          return store.consume(opId === undefined ? request : rest)
        },
      }),
    },
    {
      flaw: 'lifts the epoch fence',
      spoil: (store) => ({
        ...store,
        settle: (request) =>
          store.settle({ ...request, lease: { ...request.lease, epoch: 1_000_000 } }),
      }),
    },
    { flaw: 'forgets what it is told again', spoil: (store) => ({ ...store, merge: () => {} }) },
    { flaw: 'ignores a restore', spoil: (store) => ({ ...store, restore: () => {} }) },
    { flaw: 'renews what is gone', spoil: (store) => ({ ...store, renew: () => true }) },
    { flaw: 'releases what is gone', spoil: (store) => ({ ...store, release: () => true }) },
    { flaw: 'refunds anything', spoil: (store) => ({ ...store, refund: () => true }) },
    {
      flaw: 'gives every change again',
      spoil: (store) => ({
        ...store,
        exclusions: (domain, _since, nowMs) => store.exclusions(domain, 0, nowMs),
      }),
    },
    {
      flaw: 'gives full agents',
      spoil: (store) => ({
        ...store,
        acquire: (request) => {
          const roomy = request.candidates.map((one) => ({ ...one, maxConcurrency: 65_535 }))
          return store.acquire({ ...request, candidates: roomy })
        },
      }),
    },
    { flaw: 'goes on after close', spoil: (store) => ({ ...store, close: () => {} }) },
  ]
}

/** The same store, as an asynchronous one would answer. */
function promised(store: Store<'sync'>): Store<'async'> {
  const later = {} as Record<string, unknown>
  for (const [name, value] of Object.entries(store)) {
    later[name] =
      typeof value === 'function'
        ? async (...args: unknown[]) => (value as (...all: unknown[]) => unknown)(...args)
        : value
  }
  return { ...(later as unknown as Store<'async'>), mode: 'async' }
}
