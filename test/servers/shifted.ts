import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRedis, type RedisServer } from './redis.ts'

export interface ShiftedRedis {
  readonly server: RedisServer
  /** The server's clock reads so much more than the machine's from now on. */
  shift(ms: number): void
  stop(): Promise<void>
}

/** Starts a redis-server whose wall clock can be made to step. Needs a C compiler (`cc`). */
export async function startShiftedRedis(): Promise<ShiftedRedis> {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-clock-'))
  const library = join(dir, 'shim.so')
  const file = join(dir, 'shift')
  const source = join(import.meta.dirname, 'clock-shim.c')
  const built = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'])
  if (built.status !== 0) {
    rmSync(dir, { recursive: true, force: true })
    throw new Error(`a C compiler is needed (cc): ${String(built.stderr ?? built.error)}`)
  }
  const shift = (ms: number): void => writeFileSync(file, String(ms))
  shift(0)
  const server = await startRedis({ env: { LD_PRELOAD: library, OSTLER_CLOCK_FILE: file } })
  return {
    server,
    shift,
    stop: async () => {
      await server.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
