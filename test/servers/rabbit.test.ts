import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { startRabbit } from './rabbit.ts'

/** Processes that run in its environment: known on Linux alone. */
function processesOf(dir: string): number {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return ids.filter((id) => {
    try {
      return readFileSync(`/proc/${id}/environ`, 'utf8').includes(`HOME=${dir}\0`)
    } catch {
      // It has ended meanwhile, or is not ours.
      return false
    }
  }).length
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  }).finally(() => socket.destroy()) as Promise<boolean>
}

test('starts with a folder, users and a port mapper of its own, and leaves none of them', async () => {
  const server = await startRabbit()
  try {
    expect(await isOpen(server.port)).toBe(true)
    expect(await isOpen(server.mapperPort)).toBe(true)
    if (process.platform === 'linux') expect(processesOf(server.dir)).toBeGreaterThan(1)
    expect(await server.ctl('list_users', '--quiet')).toContain('narrow')
  } finally {
    await server.stop()
  }
  await server.stop()
  expect(existsSync(server.dir)).toBe(false)
  expect(await isOpen(server.port)).toBe(false)
  expect(await isOpen(server.mapperPort)).toBe(false)
  if (process.platform === 'linux') expect(processesOf(server.dir)).toBe(0)
}, 90_000)

test('says what the server said where it does not start', async () => {
  await expect(startRabbit({ conf: ['no.such.setting = 1'] })).rejects.toThrow(/no\.such\.setting/)
}, 90_000)
