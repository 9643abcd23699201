import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { startRabbit } from './rabbit.ts'

/** Whose command line or environment holds the folder: on Linux, where this can be seen. */
function processesOf(dir: string): number {
  const found = spawnSync('pgrep', ['--full', dir], { encoding: 'utf8' })
  return found.stdout.split('\n').filter((line) => line !== '').length
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
