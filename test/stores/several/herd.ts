import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '@ostler/core'
import { guard } from '../../servers/guard.ts'
import { pause } from '../../servers/pause.ts'
import { until } from '../../servers/until.ts'
import { readLogs, type Event } from './events.ts'
import type { World } from './world.ts'

/** What a worker opens its store by: options of `sqliteStore` or `redisStore` after the kind. Memory is each worker's own, so nothing is shared. */
export type StoreConfig =
  | { readonly kind: 'sqlite'; readonly path: string; readonly durability?: 'batched' }
  | {
      readonly kind: 'redis'
      readonly url: string
      readonly prefix: string
      readonly budgetMs?: number
    }
  | {
      readonly kind: 'cluster'
      readonly urls: readonly string[]
      readonly prefix: string
      readonly budgetMs?: number
    }
  | { readonly kind: 'memory' }

export interface HerdOptions {
  readonly store: StoreConfig
  readonly world: World
  readonly workers: number
  /** How long all of them are at work, after `meanwhile`. */
  readonly durationMs: number
  /** What is done to the store while they are at work. */
  readonly meanwhile?: () => Promise<void>
  readonly seed: number
  /** Concurrent loops in each worker. Default 8. */
  readonly actors?: number
  /** Whether workers are stopped for a while, and killed and replaced, all the time. Default false. */
  readonly faults?: boolean
}

export interface HerdRun {
  /** Of all workers, by their beginnings. */
  readonly events: readonly Event[]
  /** Times that a worker was seen to have stopped. */
  readonly paused: number
  /** Workers that ended by SIGKILL. */
  readonly killed: number
}

const ROOT = dirname(dirname(dirname(import.meta.dirname)))

/** Workers import the built packages. Takes half a second where nothing has changed. */
export function build(...names: readonly string[]): void {
  const packages = names.map((name) => `packages/${name}`)
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  const ran = spawnSync(process.execPath, [compiler, '-b', ...packages], { cwd: ROOT })
  if (ran.status !== 0) throw new Error(`the packages do not build:\n${String(ran.stdout)}`)
}

/** Lets several processes loose on one store for a while, and reads what they wrote down. @throws Error where a worker failed. */
export async function runHerd(options: HerdOptions): Promise<HerdRun> {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-herd-'))
  const herd = new Herd(options, dir)
  try {
    for (let i = 0; i < options.workers; i++) herd.start()
    await herd.begun()
    await options.meanwhile?.()
    await Promise.all([sleep(options.durationMs), options.faults === true && herd.disturb()])
    await herd.ended()
    return { events: readLogs(herd.logs), paused: herd.paused, killed: herd.killed }
  } finally {
    herd.end()
    rmSync(dir, { recursive: true, force: true })
  }
}

interface Worker {
  readonly child: ChildProcess
  readonly log: string
  /** Rejects where it ends of itself and not well. */
  readonly ended: Promise<void>
}

class Herd {
  paused = 0
  killed = 0
  readonly logs: string[] = []
  readonly #options: HerdOptions
  readonly #dir: string
  readonly #random: () => number
  readonly #workers: Worker[] = []

  constructor(options: HerdOptions, dir: string) {
    this.#options = options
    this.#dir = dir
    this.#random = seededRandom(options.seed)
  }

  start(): void {
    const { store, world, seed, actors = 8 } = this.#options
    const number = this.logs.length
    const log = join(this.#dir, `${number}.jsonl`)
    writeFileSync(log, '')
    this.logs.push(log)
    const config = { store, world, seed: seed + number, actors, log }
    const path = join(import.meta.dirname, 'worker.mjs')
    const child = spawn(process.execPath, [path, JSON.stringify(config)], {
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    guard(child)
    child.stdin.on('error', () => undefined)
    const ended = this.#outcome(child)
    // It is looked at in the end; until then a failure must not be nobody's.
    ended.catch(() => undefined)
    this.#workers.push({ child, log, ended })
  }

  /** Stops one worker for a while and kills another, again and again, until shortly before the end. */
  async disturb(): Promise<void> {
    const untilMs = Date.now() + this.#options.durationMs - 1_500
    for (let round = 1; Date.now() < untilMs; round++) {
      await sleep(150 + this.#random() * 250)
      const stopped = this.#any()
      if (stopped !== null && (await pause(stopped))) this.paused++
      // It may be the one that has stopped: then it never goes on.
      if (this.#any()?.kill('SIGKILL') === true) this.start()
      // Now and then for longer than any lease and permit lasts.
      await sleep(round % 4 === 0 ? 1_200 : 50 + this.#random() * 150)
      stopped?.kill('SIGCONT')
    }
  }

  /** All of them have done something. */
  async begun(): Promise<void> {
    const isAtWork = ({ child, log }: Worker): boolean => isRunning(child) && statSync(log).size > 0
    await until('all workers are at work', () => this.#workers.every(isAtWork), 20_000)
  }

  /** Tells them to come to an end, and waits for it. */
  async ended(): Promise<void> {
    for (const { child } of this.#workers) if (isRunning(child)) child.stdin?.write('end')
    for (const { ended } of this.#workers) await ended
  }

  end(): void {
    for (const { child } of this.#workers) child.kill('SIGKILL')
  }

  /** One that is at work; null while none is. */
  #any(): ChildProcess | null {
    const working = this.#workers.filter(
      ({ child, log }) => isRunning(child) && statSync(log).size > 0,
    )
    return working[Math.floor(this.#random() * working.length)]?.child ?? null
  }

  async #outcome(child: ChildProcess): Promise<void> {
    let said = ''
    child.stderr?.on('data', (text: Buffer) => (said = `${said}${text.toString()}`.slice(-4_000)))
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    if (signal === 'SIGKILL') this.killed++
    else if (code !== 0) throw new Error(`a worker ended with ${code ?? signal}:\n${said}`)
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}
