import { EXIT, fileTrouble, toldOf } from './failure.ts'

/** All that a command has to do with the world outside, so that tests can stand in for it. */
export interface Io {
  readonly stdin: AsyncIterable<Uint8Array | string>
  /** Results: standard output. */
  out(text: string): void
  /** Everything else: standard error. */
  err(text: string): void
  /** Whether standard error is a terminal: progress is drawn there, and nowhere else. */
  readonly isTerminal: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** The wall clock, for commands that ask about now. */
  nowMs(): number
  /** Resolves when somebody asks the process to end, by SIGINT or SIGTERM: for commands that run until then. */
  ended(): Promise<void>
}

/**
 * The process's own. A reader that goes away (`| head`) ends the process quietly, as it ends other
 * tools. A full disk is told in a sentence: what was written is not all there is.
 */
export function processIo(): Io {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0)
      const failure = fileTrouble('write', 'standard output', error)
      if (stream !== process.stderr) process.stderr.write(toldOf(failure, process.env))
      process.exit(EXIT.failure)
    })
  }
  return {
    stdin: process.stdin,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY,
    env: process.env,
    nowMs: () => Date.now(),
    ended: () =>
      new Promise((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
      }),
  }
}
