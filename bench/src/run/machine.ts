import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { cpus, totalmem } from 'node:os'
import { peerVersions } from '../rig/peers.ts'

/** What a number must be read with. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  /** Of all that took part, by name. */
  readonly versions: Readonly<Record<string, string>>
}

export function machine(withPeers: boolean): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch}`,
    versions: {
      ostler: versionOf('@ostler/core') ?? 'unknown',
      node: process.versions.node,
      v8: process.versions.v8,
      ...present('tinybench', versionOf('tinybench')),
      ...present('ioredis', versionOf('ioredis')),
      ...present('better-sqlite3', versionOf('better-sqlite3')),
      ...present('undici', versionOf('undici')),
      ...present('proxy-chain', versionOf('proxy-chain')),
      ...present('redis-server', redisVersion()),
      ...(withPeers ? peerVersions() : {}),
    },
  }
}

function present(name: string, version: string | null): Record<string, string> {
  return version === null ? {} : { [name]: version }
}

function versionOf(name: string): string | null {
  const require = createRequire(import.meta.url)
  try {
    return (require(`${name}/package.json`) as { version: string }).version
  } catch {
    return null
  }
}

function redisVersion(): string | null {
  const { stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
  return /v=(\S+)/.exec(stdout ?? '')?.[1] ?? null
}
