import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { SCOPES } from '@ostler/api'
import { hashKey, type StoredKey } from '@ostler/gateway'
import { freePort } from '../../servers/ports.ts'
import { startAgents } from '../rig/agents.ts'
import { closing } from '../rig/closing.ts'
import { serveNames, type Zone } from '../rig/name-server.ts'
import { serve } from '../rig/sockets.ts'
import { startTarget, type Behaviour } from '../rig/targets.ts'
import { echo, startTarget as startSocketTarget } from '../rig/ws-peers.ts'

const SECRET = 'a secret of tests alone'

/** Whom cases are sent to, and what they may name. */
export interface World {
  readonly port: number
  readonly keys: Keys
  /** Answers as targets do; its agents are never turned away. */
  readonly target: string
  /** Turns agents away. */
  readonly hostile: string
  /** Speaks no HTTP. */
  readonly garbage: string
  /** Nobody is there. */
  readonly nobody: string
  /** Sends back what it gets. */
  readonly socketTarget: string
  /** How the gateway stands. */
  look(): Promise<Standing>
  /** What it has said on its standard error: nothing, unless something went wrong. */
  said(): string
  isRunning(): boolean
}

/** Keys by what they are good for. */
export interface Keys {
  readonly roomy: string
  /** Of a tier without policies and permits. */
  readonly open: string
  /** Five requests a second, one permit. */
  readonly tight: string
  /** Of the scope usage alone. */
  readonly narrow: string
  readonly revoked: string
  readonly unknown: string
}

/** What the gateway tells of itself. */
export interface Standing {
  readonly stalls: readonly { readonly atMs: number; readonly stallMs: number }[]
  /** Log lines of errors. */
  readonly errors: readonly string[]
  /** After a collection. */
  readonly heapBytes: number
  readonly connections: number
  readonly resources: readonly string[]
  readonly permits: number
  readonly leases: number
  readonly metrics: string
}

const key = (name: string): string => `ak_test_${name.padEnd(24, '0')}`

const KEYS: Keys = {
  roomy: key('roomy'),
  open: key('open'),
  tight: key('tight'),
  narrow: key('narrow'),
  revoked: key('revoked'),
  unknown: key('unknown'),
}

function stored(name: keyof Keys, tier: string, scopes = SCOPES): StoredKey {
  const revoked = name === 'revoked' ? { revokedAtMs: 1 } : {}
  return { id: name, tier, scopes, createdAtMs: 1, hash: hashKey(KEYS[name], SECRET), ...revoked }
}

const STORED = [
  stored('roomy', 'roomy'),
  stored('open', 'open'),
  stored('tight', 'tight'),
  stored('narrow', 'roomy', ['usage']),
  stored('revoked', 'roomy'),
]

/** Longer than any time-out that is asked for, and not as long as the one that nobody asked for. */
const hang: Behaviour = (_, response) => void setTimeout(() => response.destroy(), 1_500)

/** Says of every name that it is not there: what a case names is not to leave this machine. */
const NO_NAMES = new Proxy<Zone>({}, { get: () => ({ code: 3 }) })

/** A gateway in a process of its own, with agents, targets and a name server in this one. All of it ends after the test. */
export async function startWorld(): Promise<World> {
  const agents = (await startAgents(4)).map(({ asked: _asked, ...agent }) => agent)
  const target = await startTarget({ '/hang': hang, '/drip': hang })
  const hostile = await startTarget({}, '127.0.0.9')
  const garbage = await serve((socket) => socket.end('220 this is no HTTP\r\n'))
  const socketTarget = await startSocketTarget(echo)
  const names = await serveNames(NO_NAMES)
  const child = spawn(
    process.execPath,
    [
      '--expose-gc',
      join(import.meta.dirname, 'gateway.mjs'),
      JSON.stringify({ keys: STORED, secret: SECRET, agents, names }),
    ],
    { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] },
  )
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text))
  closing(async () => {
    if (!isRunning(child)) return
    const gone = once(child, 'exit')
    child.disconnect()
    await gone
  })
  const { url } = await answerOf<{ readonly url: string }>(child, () => said)
  return {
    port: Number(new URL(url).port),
    keys: KEYS,
    target: target.url,
    hostile: hostile.url,
    garbage: `http://127.0.0.1:${garbage.port}`,
    nobody: `http://127.0.0.1:${await freePort()}`,
    socketTarget: socketTarget.url,
    look: async () => {
      child.send('look')
      return answerOf<Standing>(child, () => said)
    },
    said: () => said,
    isRunning: () => isRunning(child),
  }
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null
}

/** The next message of a gateway. @throws Error where it is gone */
async function answerOf<T>(child: ChildProcess, said: () => string): Promise<T> {
  const over = new AbortController()
  const { signal } = over
  const gone = once(child, 'exit', { signal }).then(() => {
    throw new Error(`the gateway is gone: ${said()}`)
  })
  // It is no failure that this was not waited for.
  gone.catch(() => undefined)
  try {
    const [answer] = (await Promise.race([once(child, 'message', { signal }), gone])) as [T]
    return answer
  } finally {
    over.abort()
  }
}
