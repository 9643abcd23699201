import { throwsCode } from './assert.ts'
import { call, candidate, exact, T, wanting } from './fixtures.ts'
import type { ContractCase } from './runner.ts'

export const lifeCases: readonly ContractCase[] = [
  {
    name: 'close: later calls throw CLOSED',
    async run(store) {
      await store.close()
      await throwsCode(() => store.consume(call([exact(1)])), 'CLOSED')
      await throwsCode(() => store.acquire(wanting([candidate('a')], 'l')), 'CLOSED')
      await throwsCode(() => store.exclusions('d', 0, T), 'CLOSED')
      await throwsCode(() => store.putAgents([{ id: 'a' }]), 'CLOSED')
    },
  },
  {
    name: 'close: does nothing the second time',
    async run(store) {
      await store.close()
      await store.close()
    },
  },
]
