import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'

const PORT = 'OSTLER_BENCH_REDIS_PORT'
const START_MS = 10_000
/** Reads from its parent until that is gone, whatever ended it; then ends the server, by its id. */
const KEEPER = 'redis-server "$@" >/dev/null & pid=$!; read -r _; kill -9 "$pid"'

/**
 * Starts a redis-server of its own on a free loopback port, which processes started from here then find.
 * Answers what ends it. @throws Error that says how to install it where it is missing.
 */
export async function startRedis(): Promise<() => void> {
  const port = await freePort()
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const keeper = spawn('sh', ['-c', KEEPER, 'redis-server', ...args], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const stop = (): void => void keeper.stdin?.end()
  const retry = { retryStrategy: () => 50, maxRetriesPerRequest: null }
  const client = new Redis({ host: '127.0.0.1', port, ...retry })
  client.on('error', () => undefined)
  try {
    await Promise.race([client.ping(), late()])
  } catch (cause) {
    stop()
    const how = '`apt-get install redis-server` (Debian, Ubuntu) or `brew install redis` (macOS)'
    throw new Error(`redis-server does not answer; is it on PATH? ${how} installs it`, { cause })
  } finally {
    client.disconnect()
  }
  process.env[PORT] = `${port}`
  return stop
}

/** The port of the server that the parent of this process has started. */
export function redisPort(): number {
  const port = Number(process.env[PORT])
  if (!(port > 0)) throw new Error('no redis-server was started for this process')
  return port
}

/** A client as anybody has one: its defaults. */
export async function connected(): Promise<Redis> {
  const client = new Redis({ host: '127.0.0.1', port: redisPort(), lazyConnect: true })
  await client.connect()
  return client
}

async function late(): Promise<never> {
  await setTimeout(START_MS)
  throw new Error(`no answer within ${START_MS} ms`)
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port)
        else reject(new Error('no loopback port is free'))
      })
    })
  })
}
