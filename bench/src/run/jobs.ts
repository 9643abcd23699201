import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Figure } from '../case.ts'
import { SEMI_SPACE_MB } from './allocation.ts'
import type { Pace, Timing } from './results.ts'

/** What a fresh process is to do. */
export interface Job {
  readonly what: 'time' | 'bytes' | 'gauge'
  readonly room: string
  readonly table: string
  /** Names of cases, or of the gauge. */
  readonly rows: readonly string[]
  readonly pace: Pace
  /** Which of the cases begins. */
  readonly first: number
}

export type Answer =
  | { readonly what: 'time'; readonly timings: Readonly<Record<string, Timing>> }
  | { readonly what: 'bytes'; readonly bytes: number }
  | { readonly what: 'gauge'; readonly figures: readonly Figure[] }

const SEMI_SPACE = [
  `--max-semi-space-size=${SEMI_SPACE_MB}`,
  `--min-semi-space-size=${SEMI_SPACE_MB}`,
]

/**
 * Does a job in a fresh process, from the built JavaScript that `child` is the entry of.
 * @throws Error where the process failed; it has then said why.
 */
export function inFreshProcess<What extends Job['what']>(
  job: Job & { readonly what: What },
  child: string = join(import.meta.dirname, '../child.js'),
): Promise<Extract<Answer, { what: What }>> {
  return new Promise((resolve, reject) => {
    const worker = fork(child, {
      execArgv: ['--expose-gc', ...(job.what === 'bytes' ? SEMI_SPACE : [])],
      // Some peers write to their output; what is found comes by a channel of its own.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    let answer: Answer | null = null
    worker.on('message', (message: Answer) => (answer = message))
    worker.on('error', reject)
    worker.on('close', (status) => {
      if (answer !== null) resolve(answer as Extract<Answer, { what: What }>)
      else reject(new Error(`${job.table}: its process ended with ${status}`))
    })
    worker.send(job)
  })
}
