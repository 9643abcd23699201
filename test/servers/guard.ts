import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

/** What this process has started and not ended, with the folder that goes with it. */
const running = new Map<number, { readonly child: ChildProcess; readonly dir: string | null }>()
let reaper: ChildProcess | null = null

/**
 * Sees to it that the child ends, and its folder (without spaces in its name) goes, when this process does: by its `exit`, or,
 * where a signal leaves no time for that, by a watcher of its own.
 */
export function guard(child: ChildProcess, dir: string | null = null): void {
  const { pid } = child
  if (pid === undefined) return
  running.set(pid, { child, dir })
  tell(`+${pid} ${dir ?? ''}`)
  child.once('exit', () => {
    running.delete(pid)
    tell(`-${pid}`)
  })
}

/** Ends the child at once, without a word to it. Resolves when it is gone, also when it was before. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

function tell(line: string): void {
  reaper ??= startReaper()
  reaper.stdin?.write(`${line}\n`)
}

/** In a process group of its own: Ctrl-C ends the tests and what they started, and must leave the one who clears up. */
function startReaper(): ChildProcess {
  const path = join(import.meta.dirname, 'reaper.mjs')
  const started = spawn(process.execPath, [path], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  started.unref()
  // A pipe is a socket, which may be let go; its declared type does not say so.
  const stdin = started.stdin as unknown as { unref(): void }
  stdin.unref()
  started.stdin?.on('error', () => undefined)
  process.on('exit', endAll)
  return started
}

function endAll(): void {
  for (const { child, dir } of running.values()) {
    child.kill('SIGKILL')
    if (dir !== null) rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}
