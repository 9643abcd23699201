import type { Store } from '@ostler/core'
import { sqliteStore } from '@ostler/store-sqlite'
import { existsSync, statSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { answerOf, ended, start, until } from './children.ts'
import { freshPath, POLICY, Stores } from './rig.ts'
import { acksOf, Witness, type Ack } from './tally.ts'

const FLUSH_MS = 10
const KILLS = 30
/** Bytes of acknowledgements before a writer is killed, the next one somewhat later. */
const BYTES = 15_000

const stores = new Stores()

afterEach(() => stores.closeAll())

function used(store: Store<'sync'>, key = 'k'): number {
  return store.usage(key, [POLICY], Date.now())[0].used
}

function consume(store: Store<'sync'>, key = 'k'): void {
  store.consume({ key, policies: [POLICY], cost: 1, nowMs: Date.now() })
}

describe('batched', () => {
  test('kill -9: forgets nothing that is older than flushMs, and keeps its batches whole', async () => {
    const path = freshPath()
    const options = { path, durability: 'batched', flushMs: FLUSH_MS } as const
    const spans: number[] = []
    let kills = 0
    for (let round = 0; kills < KILLS; round++) {
      // One alone, or two that keep each other waiting.
      const ids = Array.from({ length: 1 + (round % 2) }, (_, i) => round * 2 + i)
      const acks = ids.map((id) => `${path}.${id}.acks`)
      const writers = ids.map((id, i) => {
        return start('writer.mjs', { id, acks: acks[i], options, restMs: 25 })
      })
      for (const [i, writer] of writers.entries()) {
        const enough = BYTES + 1_000 * round
        await until('it has written', () => existsSync(acks[i]) && statSync(acks[i]).size > enough)
        writer.kill('SIGKILL')
        expect((await ended(writer)).signal).toBe('SIGKILL')
        kills++
      }
      const store = sqliteStore({ path })
      const witness = new Witness(store)
      for (const file of acks) {
        const lines = acksOf(file)
        const missing = witness.missing(lines)
        const last = lines.at(-1)!
        // One batch, and all of it: what is missing are the last lines.
        expect(missing).toEqual(missing.length === 0 ? [] : lines.slice(-missing.length))
        for (const lost of missing) expect(mayBeLost(lost, lines)).toBe(true)
        spans.push(missing.length === 0 ? 0 : last.ackedMs - missing[0].ackedMs)
      }
      store.close()
    }
    // Where nothing was ever missing, the writers were not batching, and the test could not fail.
    expect(spans.filter((span) => span > 0).length).toBeGreaterThan(KILLS / 4)
    const most = Math.max(...spans).toFixed(1)
    console.info(
      `stores/sqlite/batches: ${kills} kills, at most the last ${most} ms were forgotten`,
    )
  }, 120_000)

  test('keeps all when the process ends by itself, closed or not', async () => {
    for (const end of ['returns', 'exits', 'throws']) {
      const path = freshPath()
      const argument = { options: { path, durability: 'batched' }, end }
      const child = start('ends.mjs', argument, end === 'throws' ? 'ignore' : 'inherit')
      const { code } = await ended(child)
      expect([end, code]).toEqual([end, end === 'throws' ? 1 : 0])
      expect([end, used(stores.open({ path, time: 'own' }))]).toEqual([end, 100])
    }
  })

  test('commits while the process idles', async () => {
    const path = freshPath()
    const batched = stores.open({ path, durability: 'batched', time: 'own' })
    const beganMs = performance.now()
    consume(batched)
    // Another process: one of this process would make the batch commit by asking.
    const child = start('waits.mjs', { path, policy: POLICY, key: 'k', atLeast: 1 })
    const { atMs } = await answerOf<{ atMs: number }>(child)
    expect(atMs).toBeGreaterThan(0)
    expect(performance.now() - beganMs).toBeLessThan(10_000)
  })

  test('shows each decision to others of the process at once, and gives them the file', () => {
    const path = freshPath()
    const [one, two] = [1, 2].map(() => stores.open({ path, durability: 'batched', time: 'own' }))
    for (let i = 1; i <= 50; i++) {
      const beganMs = performance.now()
      consume(i % 2 === 0 ? one : two)
      expect([used(one), used(two)]).toEqual([i, i])
      expect(performance.now() - beganMs).toBeLessThan(1_000)
    }
    one.exclude('exit', 'd', Date.now() + 60_000, Date.now())
    expect(two.exclusions('d', 0, Date.now()).changes.map(({ exit }) => exit)).toEqual(['exit'])
  })

  test('lets other processes have their turn', async () => {
    const path = freshPath()
    stores.open({ path }).close()
    const calls = 10_000
    const children = (['batched', 'batched', 'sync'] as const).map((durability, i) => {
      return start('turns.mjs', {
        options: { path, durability },
        key: `k${i}`,
        calls,
        policy: POLICY,
      })
    })
    const answers = await Promise.all(children.map((child) => answerOf<{ refused: number }>(child)))
    // Each of them wants the file all the time: on a busy machine somebody's 50 ms may be over.
    for (const { refused } of answers) expect(refused).toBeLessThan(calls / 100)
  }, 60_000)
})

/**
 * Whether a decision may be forgotten: the batch that it was in was still open when the last decision began, and so had been opened
 * within the `flushMs` before. By the writer's own account, so that it does not matter how long others kept it from running. Before a
 * rest the timer has committed all.
 */
function mayBeLost(lost: Ack, lines: readonly Ack[]): boolean {
  const last = lines.at(-1)!
  const rest = lines.findLastIndex(({ kind }) => kind === 'rested')
  return lines.indexOf(lost) > rest && lost.ackedMs > last.beganMs - FLUSH_MS
}
