import { SCOPES } from '@ostler/api'
import { createGateway, type Gateway } from '../gateway.ts'
import { hashKey, newKey } from '../keys/key.ts'
import { keyRing } from '../keys/ring.ts'
import type { GatewayOptions } from '../options.ts'
import { startDemoAgents } from './agents.ts'
import { startDemoTargets } from './targets.ts'

export interface Demo {
  readonly gateway: Gateway
  /** A key of every scope, `ak_test_...`. */
  readonly key: string
  /** Where the demo's targets are. */
  readonly targetUrl: string
  close(): Promise<void>
}

/** A gateway with agents and targets of its own on this machine, so that everything can be tried offline. */
export async function startDemo(
  options: Omit<GatewayOptions, 'keys' | 'agents' | 'allowTargets'> = {},
): Promise<Demo> {
  const agents = await startDemoAgents()
  const targets = await startDemoTargets()
  const key = newKey('test')
  const secret = newKey('test')
  const kept = { id: 'key_demo', tier: 'free', scopes: SCOPES, createdAtMs: Date.now() }
  const gateway = await createGateway({
    ...options,
    keys: keyRing([{ ...kept, hash: hashKey(key, secret) }], secret),
    agents: agents.agents,
    allowTargets: ['127.0.0.1/32'],
  })
  const ids = agents.agents.map(({ id }) => id)
  const close = async (): Promise<void> => {
    try {
      // They end with this process, and must not stay in a store that outlives it.
      await gateway.scheduler.agents.remove(ids)
    } finally {
      await gateway.close()
      await agents.close()
      await targets.close()
    }
  }
  return { gateway, key, targetUrl: targets.url, close }
}
