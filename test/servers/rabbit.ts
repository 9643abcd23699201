import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { end, guard } from './guard.ts'
import { pause } from './pause.ts'
import { freePort } from './ports.ts'
import { until } from './until.ts'

export interface RabbitOptions {
  /** More lines of rabbitmq.conf. */
  readonly conf?: readonly string[]
  /** Settings that rabbitmq.conf does not know, such as `['channel_tick_interval', '500']`, as Erlang terms. */
  readonly settings?: readonly (readonly [name: string, term: string])[]
  /** Speaks TLS too, with this key and certificate (PEM). */
  readonly tls?: { readonly key: string; readonly cert: string }
}

export interface RabbitServer {
  readonly port: number
  /** With a user who may do everything. */
  readonly url: string
  /** The same over TLS, where it speaks that. */
  readonly secureUrl: string
  readonly dir: string
  /** Of its epmd. */
  readonly mapperPort: number
  /** A user who may read and write nothing but queues and exchanges that begin with `public`. */
  readonly narrowUrl: string
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): Promise<void>
  resume(): void
  /** SIGKILL, as a crash. */
  kill(): Promise<void>
  /** Runs rabbitmqctl on it, and gives what that printed. */
  ctl(...args: readonly string[]): Promise<string>
  /** Ends it, and removes its folder. Twice is once. */
  stop(): Promise<void>
}

/** Where Debian has the real script: the one on PATH starts it as another user. */
const DEBIAN = '/usr/lib/rabbitmq/bin'
const START_WITHIN_MS = 60_000

/**
 * Starts a real rabbitmq-server on loopback, with a folder, a node name and a port mapper (epmd) of its own, and waits until it
 * answers. @throws Error that names rabbitmq-server where it is missing
 */
export async function startRabbit(options: RabbitOptions = {}): Promise<RabbitServer> {
  const server = found('rabbitmq-server')
  const dir = mkdtempSync(join(tmpdir(), 'ostler-rabbit-'))
  const [port, securePort] = [await freePort(), await freePort()]
  const [mapperPort, nodePort] = [await freePort(), await freePort()]
  const env = environment(dir, { port, mapperPort, nodePort }, options)
  configure(dir, port, securePort, options)
  // Else the server starts one that outlives it.
  const mapper = spawn('epmd', ['-port', `${mapperPort}`, '-address', '127.0.0.1'], {
    stdio: 'ignore',
    env,
  })
  guard(mapper)
  const stop = async (child?: ChildProcess): Promise<void> => {
    if (child !== undefined) await end(child)
    await end(mapper)
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
  let child: ChildProcess
  try {
    child = await ready(server, dir, env)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    port,
    url: `amqp://ostler:hush-hush@127.0.0.1:${port}`,
    secureUrl: `amqps://ostler:hush-hush@127.0.0.1:${securePort}`,
    narrowUrl: `amqp://narrow:hush-hush@127.0.0.1:${port}`,
    dir,
    mapperPort,
    pause: async () => void (await pause(child)),
    resume: () => void child.kill('SIGCONT'),
    kill: () => end(child),
    ctl: async (...args) => {
      const ran = await promisify(execFile)(found('rabbitmqctl'), [...args], { env })
      return ran.stdout
    },
    stop: () => stop(child),
  }
}

function environment(
  dir: string,
  ports: { readonly port: number; readonly mapperPort: number; readonly nodePort: number },
  { settings = [] }: RabbitOptions,
): NodeJS.ProcessEnv {
  const args = ['-noinput', '+S', '1:1', '+sbwt', 'none', '+sbwtdcpu', 'none', '+sbwtdio', 'none']
  for (const [name, term] of settings) args.push('-rabbit', name, term)
  return {
    ...process.env,
    HOME: dir,
    ERL_CRASH_DUMP: join(dir, 'crash.dump'),
    ERL_EPMD_PORT: `${ports.mapperPort}`,
    RABBITMQ_NODENAME: `ostler-${ports.port}@localhost`,
    RABBITMQ_DIST_PORT: `${ports.nodePort}`,
    RABBITMQ_CONF_ENV_FILE: join(dir, 'env.conf'),
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_LOGS: '-',
    // The script then becomes the server, so that its id is the server's.
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: args.join(' '),
  }
}

function configure(
  dir: string,
  port: number,
  securePort: number,
  { conf = [], tls }: RabbitOptions,
): void {
  const write = (name: string, text: string): void => writeFileSync(join(dir, name), text)
  const secure: string[] = []
  if (tls !== undefined) {
    write('key.pem', tls.key)
    write('cert.pem', tls.cert)
    secure.push(
      `listeners.ssl.default = 127.0.0.1:${securePort}`,
      `ssl_options.keyfile = ${join(dir, 'key.pem')}`,
      `ssl_options.certfile = ${join(dir, 'cert.pem')}`,
      'ssl_options.verify = verify_none',
    )
  }
  const common = [
    `listeners.tcp.default = 127.0.0.1:${port}`,
    'loopback_users = none',
    'log.file = false',
    'log.console = true',
    `load_definitions = ${join(dir, 'definitions.json')}`,
    'disk_free_limit.absolute = 1MB',
  ]
  write('rabbitmq.conf', [...common, ...secure, ...conf, ''].join('\n'))
  write('env.conf', '')
  write('plugins', '[].\n')
  const may = (user: string, all: string): object => ({
    user,
    vhost: '/',
    configure: all,
    write: all,
    read: all,
  })
  const user = (name: string): object => ({ name, password: 'hush-hush', tags: '' })
  const definitions = {
    vhosts: [{ name: '/' }, { name: 'closed' }],
    users: [user('ostler'), user('narrow')],
    permissions: [may('ostler', '.*'), may('narrow', '^public.*')],
  }
  write('definitions.json', JSON.stringify(definitions))
}

async function ready(server: string, dir: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const child = spawn(server, { stdio: ['ignore', 'pipe', 'pipe'], env })
  guard(child, dir)
  let said = ''
  const listen = (text: Buffer): void => {
    said = `${said}${text.toString()}`.slice(-8_000)
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  let failure: Error | null = null
  child.on('error', (error) => (failure = error))
  child.on('close', () => (failure ??= new Error(`rabbitmq-server ended at its start:\n${said}`)))
  try {
    await until(
      'rabbitmq-server is ready',
      () => {
        if (failure !== null) throw failure
        return said.includes('Server startup complete')
      },
      START_WITHIN_MS,
    )
  } catch (error) {
    await end(child)
    throw error
  }
  return child
}

function found(command: string): string {
  const dirs = [DEBIAN, ...(process.env.PATH ?? '').split(delimiter)]
  const path = dirs.map((dir) => join(dir, command)).find((file) => existsSync(file))
  if (path !== undefined) return path
  throw new Error(
    `${command} is not on PATH, and these tests run against a real RabbitMQ. \`npm test\` installs it where it may; else ` +
      '`apt-get install rabbitmq-server` (Debian, Ubuntu) or `brew install rabbitmq` (macOS) does.',
  )
}
