import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { freePort } from './ports.ts'
import { startRedis, type RedisServer } from './redis.ts'
import { until } from './until.ts'

const servers: RedisServer[] = []
afterAll(() => Promise.all(servers.map((server) => server.stop())))

const start: typeof startRedis = async (options) => {
  const server = await startRedis(options)
  servers.push(server)
  return server
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('startRedis', () => {
  test('answers at once, in a folder of its own, and stop ends that server alone', async () => {
    const [one, two] = await Promise.all([start(), start()])
    await one.ask('SET', 'k', 1)
    expect(await one.ask('GET', 'k')).toBe('1')
    expect(await two.ask('GET', 'k')).toBeNull()
    await one.stop()
    await one.stop()
    expect(isAlive(one.pid)).toBe(false)
    expect(existsSync(one.dir)).toBe(false)
    await expect(one.ask('PING')).rejects.toThrow(/closed|refused/i)
    expect(await two.ask('PING')).toBe('PONG')
  })

  test('pauses without closing, and resumes', async () => {
    const server = await start()
    await server.pause()
    let answered = false
    const answer = server.ask('PING').then((pong) => {
      answered = true
      return pong
    })
    await sleep(50)
    expect(answered).toBe(false)
    server.resume()
    expect(await answer).toBe('PONG')
  })

  test('comes back on its port with its data if it keeps them, and without if told so', async () => {
    const [keeps, forgets] = await Promise.all([start({ appendonly: true }), start()])
    for (const server of [keeps, forgets]) {
      const before = server.pid
      await server.ask('SET', 'k', 1)
      await server.kill()
      expect(isAlive(before)).toBe(false)
      await server.restart()
      expect(server.pid).not.toBe(before)
    }
    expect(await keeps.ask('GET', 'k')).toBe('1')
    expect(await forgets.ask('GET', 'k')).toBeNull()
    await keeps.restart({ empty: true })
    expect(await keeps.ask('GET', 'k')).toBeNull()
  })

  test('says what the server said where it does not start', async () => {
    await expect(startRedis({ args: ['--no-such-option', '1'] })).rejects.toThrow(/no-such-option/)
    const [{ port }] = [await start()]
    await expect(startRedis({ port })).rejects.toThrow(/already in use/)
  })

  test('names redis-server, and how to get it, where there is none', async () => {
    const { PATH } = process.env
    process.env['PATH'] = import.meta.dirname
    try {
      await expect(startRedis()).rejects.toThrow(/redis-server is not on PATH.*apt-get install/s)
    } finally {
      process.env['PATH'] = PATH
    }
  })
})

test('what a process has started ends with it, whatever ended it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-reaper-'))
  const sleeper = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'])
  const other = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'])
  const reaper = spawn(process.execPath, [join(import.meta.dirname, 'reaper.mjs')])
  reaper.stdin.write(`+${sleeper.pid} ${dir}\n+${other.pid} \n-${other.pid}\n`)
  // As when its owner is gone.
  reaper.stdin.end()
  await until('the reaper is done', () => reaper.exitCode !== null && sleeper.signalCode !== null)
  expect(existsSync(dir)).toBe(false)
  expect(other.signalCode).toBeNull()
  other.kill('SIGKILL')
})

test('a port that is given out is free', async () => {
  const server = await start({ port: await freePort() })
  expect(await server.ask('PING')).toBe('PONG')
})
