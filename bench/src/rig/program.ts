import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** What a program has used so far. */
export interface Spent {
  readonly cpuUs: number
  readonly memoryBytes: number
}

/** A program of the rig, in a process of its own. */
export interface Program<Told> {
  /** What it said when it was ready. */
  readonly told: Told
  spent(): Promise<Spent>
  end(): Promise<void>
}

/** Starts `programs/<name>.ts`, which is given `input` and says when it is ready. @throws Error where it ends before that */
export async function startProgram<Told>(name: string, input: unknown): Promise<Program<Told>> {
  const child = fork(join(import.meta.dirname, '../programs', `${name}.js`), {
    // What is logged is logged, and goes nowhere.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const told = await answerOf<Told>(child, name, input)
  return {
    told,
    spent: () => answerOf<Spent>(child, name, 'spent'),
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'close')
      child.kill()
      await ended
    },
  }
}

async function answerOf<T>(child: ChildProcess, name: string, message: unknown): Promise<T> {
  const gone = new AbortController()
  const onClose = (): void => gone.abort(new Error(`the program ${name} ended before it answered`))
  child.once('close', onClose)
  try {
    const answer = once(child, 'message', { signal: gone.signal })
    child.send(message as object)
    const [found] = (await answer) as [T]
    return found
  } catch (error) {
    throw gone.signal.aborted ? gone.signal.reason : error
  } finally {
    child.off('close', onClose)
  }
}

/** The other side: makes ready what it is given, says so, and answers what it has spent. */
export function serveProgram(makeReady: (input: never) => Promise<unknown>): void {
  process.once('message', (input) => void begin(makeReady(input as never)))
  // Whoever started it is gone.
  process.once('disconnect', () => process.exit(0))
}

async function begin(ready: Promise<unknown>): Promise<void> {
  const told = await ready
  process.on('message', () => tell(spent()))
  tell(told)
}

function spent(): Spent {
  const { user, system } = process.cpuUsage()
  return { cpuUs: user + system, memoryBytes: process.memoryUsage.rss() }
}

function tell(what: unknown): void {
  process.send?.(what)
}
