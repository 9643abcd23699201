// A process that holds the lock to write a database file: for each line of its input so many ms. It says when it has the lock, and for
// how long it had it.
import { createInterface } from 'node:readline'
import Database from 'better-sqlite3'

const { path } = JSON.parse(process.argv[2])
const database = new Database(path)
const cell = new Int32Array(new SharedArrayBuffer(4))
for await (const line of createInterface({ input: process.stdin })) {
  database.exec('BEGIN IMMEDIATE')
  const beganMs = performance.now()
  process.stdout.write('held\n')
  Atomics.wait(cell, 0, 0, Number(line))
  database.exec('COMMIT')
  process.stdout.write(`let go after ${performance.now() - beganMs}\n`)
}
