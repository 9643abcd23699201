import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import type { OstlerError } from '@ostler/core'
import { sqliteStore } from '@ostler/store-sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ended, start } from './children.ts'
import { consume, freshPath, POLICY, T, used } from './rig.ts'

/** What a call may take beyond its patience: the machine has other things to do as well. */
const SLACK_MS = 50

const path = freshPath()
let locker: ChildProcess
let lines: Interface

beforeAll(async () => {
  sqliteStore({ path }).close()
  locker = start('locker.mjs', { path })
  lines = createInterface({ input: locker.stdout! })
})

afterAll(async () => {
  locker.kill()
  await ended(locker)
})

/** Has another process hold the lock; resolves while it is held. */
async function held(ms: number): Promise<void> {
  locker.stdin!.write(`${ms}\n`)
  await once(lines, 'line')
}

/** Resolves when it has let go, with how long it held the lock in truth, in ms: on a busy machine for longer than it was told. */
async function letGo(): Promise<number> {
  const [line] = (await once(lines, 'line')) as [string]
  return Number(line.replace('let go after ', ''))
}

/** What a call gives or throws, and how long it takes. */
function timed<R>(call: () => R): { readonly given?: R; readonly error?: OstlerError; ms: number } {
  const beganMs = performance.now()
  try {
    const given = call()
    return { given, ms: performance.now() - beganMs }
  } catch (error) {
    return { error: error as OstlerError, ms: performance.now() - beganMs }
  }
}

describe('while another process holds the lock', () => {
  test('for 30 ms: a decision waits for it', async () => {
    const store = sqliteStore({ path, time: 'caller' })
    let decided = 0
    for (let i = 0; i < 50 && decided < 10; i++) {
      await held(30)
      const { given, ms } = timed(() => consume(store, 'short'))
      const heldMs = await letGo()
      expect(ms).toBeLessThan(50 + SLACK_MS)
      if (heldMs > 45) continue
      expect(given).toBe(true)
      decided++
    }
    expect(decided).toBe(10)
    store.close()
  })

  test.each([0, 10, 50])('for 500 ms: a decision gives up after busyMs = %i', async (busyMs) => {
    const store = sqliteStore({ path, time: 'caller', busyMs })
    const key = `long-${busyMs}`
    await held(500)
    const tookMs: number[] = []
    for (let i = 0; i < 4; i++) {
      const { error, ms } = timed(() => consume(store, key))
      expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', cause: { code: 'SQLITE_BUSY' } })
      expect(error!.message).toContain(`busy for longer than ${busyMs} ms`)
      tookMs.push(ms)
    }
    const ping = timed(() => store.ping!())
    expect(ping.error?.code).toBe('STORE_UNAVAILABLE')
    await letGo()
    tookMs.push(ping.ms)
    tookMs.sort((a, b) => a - b)
    console.info(
      `stores/sqlite/busy: busyMs ${busyMs}, no call took longer than ${tookMs[4].toFixed(1)} ms`,
    )
    expect(tookMs[0]).toBeGreaterThanOrEqual(busyMs)
    // Of five, the one in the middle: now and then this very process is kept from running.
    expect(tookMs[2]).toBeLessThan(busyMs + SLACK_MS)
    // Nothing was counted, and all is as before.
    expect(used(store, key)).toBe(0)
    expect(consume(store, key)).toBe(true)
    store.close()
  })

  test('looks go on at once, and see what was before', async () => {
    const store = sqliteStore({ path, time: 'caller' })
    consume(store, 'seen')
    store.putAgents([{ id: 'a' }])
    const { version } = store.agents(0)
    await held(500)
    const beganMs = performance.now()
    expect(used(store, 'seen')).toBe(1)
    expect(store.peek({ key: 'seen', policies: [POLICY], cost: 1, nowMs: T }).allowed).toBe(true)
    expect(store.exclusions('d', 0, T).changes).toEqual([])
    expect(store.agents(version).changes).toEqual([])
    expect(performance.now() - beganMs).toBeLessThan(250)
    await letGo()
    store.close()
  })
})
