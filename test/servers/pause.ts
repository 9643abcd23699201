import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { until } from './until.ts'

/**
 * Stops a process where it is, by SIGSTOP; SIGCONT lets it go on. A signal is delivered a moment after it is sent, and Linux shows when.
 * Answers whether it has stopped: false where it ended instead.
 */
export async function pause(child: ChildProcess): Promise<boolean> {
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null
  child.kill('SIGSTOP')
  if (process.platform !== 'linux') return !isOver()
  await until(`process ${child.pid} has stopped`, () => isOver() || stateOf(child.pid) === 'T')
  return !isOver()
}

/** The letter of a process's state: `T` is stopped, `Z` is ended and not yet waited for. */
function stateOf(pid: number | undefined): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.charAt(stat.lastIndexOf(')') + 2)
  } catch {
    return ''
  }
}
