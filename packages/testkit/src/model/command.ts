import type { World } from './world.ts'

/** One line of a model script: acts on the scheduler and the model alike, and throws where they part. */
export interface Command {
  run(world: World): void
  /** The line, as an embedder would write it. */
  toString(): string
}

/** Builds a command; its text is made only when it is shown. */
export function command(text: () => string, run: (world: World) => void): Command {
  return { run, toString: text }
}

/** Runs a script on a fresh world; an error names the line that failed. */
export function runScript(world: World, script: readonly Command[]): void {
  for (let i = 0; i < script.length; i++) {
    try {
      script[i].run(world)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`line ${i + 1}, ${script[i].toString()}: ${message}`, { cause: error })
    }
  }
}

/** A value as a script writes it. */
export function literal(value: unknown): string {
  return JSON.stringify(value)
}
