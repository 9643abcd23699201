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
  | { readonly what: 'failed'; readonly why: string }

const SEMI_SPACE = [
  `--max-semi-space-size=${SEMI_SPACE_MB}`,
  `--min-semi-space-size=${SEMI_SPACE_MB}`,
]

/**
 * Does a job in a fresh process, from the built JavaScript that `child` is the entry of.
 * @throws Error where the process failed, with its reason.
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
      const { rows } = job
      if (answer?.what === job.what) resolve(answer as Extract<Answer, { what: What }>)
      else if (answer?.what === 'failed') reject(new Error(`${rows.join(', ')}: ${answer.why}`))
      else reject(new Error(`${rows.join(', ')}: its process ended with ${status}`))
    })
    worker.send(job)
  })
}
