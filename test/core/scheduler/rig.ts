import type { Store } from '@ostler/core'

/** The methods of a store that answer, and so answer later. */
const LATER: readonly (keyof Store)[] = [
  'consume',
  'peek',
  'refund',
  'usage',
  'permits',
  'renew',
  'release',
  'acquire',
  'settle',
  'exclude',
  'restore',
  'exclusions',
  'merge',
  'putAgents',
  'removeAgents',
  'agents',
  'begin',
  'complete',
  'close',
]

/**
 * A store that answers by promises: decided in the order of the calls, told after `delay` has resolved (by default at once).
 * What it throws, it rejects with.
 */
export function asyncStore(
  store: Store<'sync'>,
  delay: (method: keyof Store) => Promise<void> = () => Promise.resolve(),
): Store<'async'> {
  const later: Record<string, unknown> = { mode: 'async', name: store.name, local: true }
  for (const method of LATER) {
    const decide = store[method] as (...args: readonly unknown[]) => unknown
    later[method] = async (...args: readonly unknown[]) => {
      const answer = decide(...args)
      await delay(method)
      return answer
    }
  }
  return later as unknown as Store<'async'>
}
