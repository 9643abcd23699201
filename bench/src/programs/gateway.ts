import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agent } from '@ostler/core'
import { createGateway, KeyFile } from '@ostler/gateway'
import { serveProgram } from '../rig/program.ts'

/** A gateway that listens, and a key that it takes. */
export interface Serving {
  readonly url: string
  readonly key: string
}

/** More requests than are made. */
const ROOMY = { policies: [{ name: 'roomy', limit: 10_000_000, windowMs: 60_000 }] }

serveProgram(async (agents: readonly Agent[]): Promise<Serving> => {
  const folder = mkdtempSync(join(tmpdir(), 'ostler-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  process.once('SIGTERM', () => process.exit(0))
  const keys = new KeyFile({ path: join(folder, 'keys.json') })
  const { key } = keys.create({ kind: 'test', tier: 'roomy', scopes: ['fetch'], nowMs: Date.now() })
  const gateway = await createGateway({
    keys,
    agents,
    tiers: { roomy: ROOMY },
    allowTargets: ['127.0.0.0/8'],
  })
  return { url: await gateway.listen({ port: 0 }), key }
})
