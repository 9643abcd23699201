import { Session, type Profiler } from 'node:inspector'

/**
 * Counts steps instead of time: how often each block of the sources under `folder` runs, by V8's precise coverage.
 * Import what is measured only after `open`, so that its blocks are counted from the first.
 */
export class StepCounter {
  readonly #session: Session = new Session()
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Blocks run by a call. */
  steps(call: () => void): number {
    this.#taken()
    call()
    let steps = 0
    for (const { url, functions } of this.#taken()) {
      if (!url.includes(this.#folder)) continue
      for (const { ranges } of functions) for (const { count } of ranges) steps += count
    }
    return steps
  }

  close(): void {
    this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }

  /** What ran since it was last taken: an in-process session answers before `post` returns. */
  #taken(): Profiler.ScriptCoverage[] {
    let scripts: Profiler.ScriptCoverage[] = []
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error !== null) throw error
      scripts = result
    })
    return scripts
  }
}
