import { inspect, sqliteStore } from '@ostler/store-sqlite'
import { existsSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { ended, start, until } from './children.ts'
import { freshPath } from './rig.ts'
import { acksOf, Witness } from './tally.ts'

const AT_ONCE = 4
const KILLS = 200
const WRITES = 100_000
/** Acknowledgements of a writer before it is killed, and the bytes that each takes at least. */
const LINES = 320
const LINE_BYTES = 40

test('kill -9: nothing that was acknowledged is lost, and the file stays whole', async () => {
  const path = freshPath()
  const options = { path }
  let kills = 0
  let told = 0
  let fleetVersion = 0
  for (let round = 0; kills < KILLS || told < WRITES; round++) {
    const acks = Array.from({ length: AT_ONCE }, (_, i) => `${path}.${round}.${i}.acks`)
    const writers = acks.map((file, i) => {
      return start('writer.mjs', { id: round * AT_ONCE + i, acks: file, options, restMs: 0 })
    })
    await until('all have written', () => acks.every((file) => sizeOf(file) > LINES * LINE_BYTES))
    for (const writer of writers) writer.kill('SIGKILL')
    const ends = await Promise.all(writers.map(ended))
    expect(ends.map(({ signal }) => signal)).toEqual(writers.map(() => 'SIGKILL'))
    kills += writers.length
    expect(check(path)).toBe('ok')
    // A connection that was not there before: it finds what the dead have left.
    const store = sqliteStore(options)
    const witness = new Witness(store, fleetVersion)
    const lines = acks.flatMap(acksOf)
    told += lines.length
    expect(witness.missing(lines)).toEqual([])
    fleetVersion = witness.fleetVersion
    store.close()
  }
  expect(inspect(path)).toMatchObject({ integrity: 'ok', problems: [] })
  console.info(`stores/sqlite/kills: ${kills} kills, ${told} acknowledged writes, none lost`)
}, 300_000)

function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0
}

/** SQLite's own look at every page. */
function check(path: string): unknown {
  const database = new Database(path)
  const found = database.pragma('quick_check(1)', { simple: true })
  database.close()
  return found
}
