import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A child that runs a file of this folder, on the built packages. Its errors are shown, unless it is told to fail. */
export function start(
  file: string,
  argument: unknown,
  errors: 'inherit' | 'ignore' = 'inherit',
): ChildProcess {
  const path = join(import.meta.dirname, file)
  return spawn(process.execPath, [path, JSON.stringify(argument)], {
    stdio: ['pipe', 'pipe', errors],
  })
}

/** How a child ended. */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export async function ended(child: ChildProcess): Promise<End> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return { code: child.exitCode, signal: child.signalCode }
}

/** Runs a child to its end, and gives what it wrote, as JSON. */
export async function answerOf<T>(child: ChildProcess): Promise<T> {
  let text = ''
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  await once(child, 'close')
  if (child.exitCode !== 0) throw new Error(`the child ended with ${child.exitCode}: ${text}`)
  return JSON.parse(text) as T
}

/** Polls until the condition holds: another process says in no other way that it is there. */
export async function until(
  what: string,
  condition: () => boolean,
  boundMs = 60_000,
): Promise<void> {
  const endMs = performance.now() + boundMs
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`waited ${boundMs} ms in vain until ${what}`)
    await sleep(2)
  }
}

/** The same, where no file may grow beyond 512 KiB. */
export function startLimited(file: string, argument: unknown): ChildProcess {
  const path = join(import.meta.dirname, file)
  const command = [
    'ulimit -f 1024; exec "$0" "$@"',
    process.execPath,
    path,
    JSON.stringify(argument),
  ]
  return spawn('sh', ['-c', ...command], { stdio: ['pipe', 'pipe', 'inherit'] })
}
