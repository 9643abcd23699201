import { createRequire } from 'node:module'
import { cpus, totalmem } from 'node:os'

/** What a number must be read with. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  readonly node: string
  readonly v8: string
  readonly ostler: string
}

export function machine(): Machine {
  const require = createRequire(import.meta.url)
  const { version } = require('@ostler/core/package.json') as { version: string }
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    v8: process.versions.v8,
    ostler: version,
  }
}
