import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { end, guard } from './guard.ts'
import { pause } from './pause.ts'
import { freePort } from './ports.ts'
import { until } from './until.ts'

export interface RedisOptions {
  /** More of the command line, such as `['--maxmemory', '2mb']`. */
  readonly args?: readonly string[]
  /** Default: a free one. */
  readonly port?: number
  /** Where its files lie; the caller's to remove. Default: a temporary folder that goes with the server. */
  readonly dir?: string
  /** Whether data outlives a restart. Default false. */
  readonly appendonly?: boolean
  /** More of its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** The most bytes that a file of its may have: beyond, writes fail as on a full disk. */
  readonly fileSizeLimit?: number
}

export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Another one after a restart. */
  readonly pid: number
  readonly dir: string
  /** Ends it, and removes its temporary folder. Twice is once. */
  stop(): Promise<void>
  /** SIGKILL, as a crash; the files stay. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. Resolves when it has stopped. */
  pause(): Promise<void>
  resume(): void
  /** A crash if it still runs, and the same server again on its port: with what its files hold, or without any of it. */
  restart(options?: { readonly empty?: boolean }): Promise<void>
  /** Sends one command on a connection of its own. */
  ask(...command: readonly (string | number)[]): Promise<unknown>
}

/** Starts a real redis-server on loopback and waits until it answers. @throws Error that names redis-server where it is missing. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'ostler-redis-'))
  const ownDir = options.dir === undefined
  const flags = ['--bind', '127.0.0.1', '--save', '', '--dir', dir, ...(options.args ?? [])]
  if (options.appendonly === true) flags.push('--appendonly', 'yes')
  let port = options.port ?? (await freePort())
  const launch = (): Promise<ChildProcess> =>
    ready(port, ['--port', `${port}`, ...flags], ownDir ? dir : null, options)

  let child: ChildProcess
  for (let tries = 1; ; tries++) {
    try {
      child = await launch()
      break
    } catch (error) {
      const taken = error instanceof Error && error.message.includes('already in use')
      if (!taken || options.port !== undefined || tries === 5) {
        if (ownDir) rmSync(dir, { recursive: true, force: true })
        throw error
      }
      port = await freePort()
    }
  }

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid ?? 0
    },
    dir,
    stop: async () => {
      await end(child)
      if (ownDir) rmSync(dir, { recursive: true, force: true })
    },
    kill: () => end(child),
    pause: async () => void (await pause(child)),
    resume: () => void child.kill('SIGCONT'),
    restart: async ({ empty = false } = {}) => {
      await end(child)
      if (empty) for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true })
      child = await launch()
    },
    ask: (...command) => ask(port, ...command),
  }
}

/** Sends one command to a server on loopback, on a connection of its own. */
export async function ask(
  port: number,
  ...command: readonly (string | number)[]
): Promise<unknown> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: 1_000,
    commandTimeout: 5_000,
  })
  // The rejection of connect() says it too.
  client.on('error', () => undefined)
  try {
    await client.connect()
    const [name, ...args] = command
    return await client.call(`${name}`, ...args)
  } finally {
    client.disconnect()
  }
}

const SERVER = ['redis-server'] as const

/** The server in a shell that limits the size of its files, and has it told by an error and not by a signal. */
function limited(bytes: number): readonly [string, ...string[]] {
  const script = `trap '' XFSZ; ulimit -f ${Math.ceil(bytes / 1_024)}; exec redis-server "$@"`
  return ['bash', '-c', script, 'redis-server']
}

/** Spawns the server, and resolves when it answers PING. */
async function ready(
  port: number,
  args: readonly string[],
  ownDir: string | null,
  { env = {}, fileSizeLimit }: RedisOptions,
): Promise<ChildProcess> {
  const [command, ...first] = fileSizeLimit === undefined ? SERVER : limited(fileSizeLimit)
  const child = spawn(command, [...first, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  guard(child, ownDir)
  let said = ''
  let isReady = false
  const listen = (text: Buffer): void => {
    said = `${said}${text.toString()}`.slice(-4_000)
    isReady ||= said.includes('eady to accept connections')
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  let failure: Error | null = null
  child.on('error', (error: NodeJS.ErrnoException) => (failure = missing(error)))
  child.on('close', () => (failure ??= new Error(`redis-server ended at its start:\n${said}`)))
  try {
    await until(`redis-server answers on port ${port}`, async () => {
      if (failure !== null) throw failure
      // Both: what answers on the port may be another's, and a server that is ready may still load its data.
      return isReady && (await answers(port))
    })
  } catch (error) {
    await end(child)
    throw error
  }
  return child
}

function missing(error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ENOENT') return error
  return new Error(
    'redis-server is not on PATH, and these tests run against a real one. `npm test` installs it where it may; else ' +
      '`apt-get install redis-server` (Debian, Ubuntu) or `brew install redis` (macOS) does.',
    { cause: error },
  )
}

async function answers(port: number): Promise<boolean> {
  try {
    return (await ask(port, 'PING')) === 'PONG'
  } catch {
    return false
  }
}
