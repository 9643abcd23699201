import type { OstlerError } from '@ostler/core'
import type { Batch, Call, Route } from './call.ts'
import { defineDriven, type Script } from './scripts.ts'

const NO_KEYS: readonly string[] = []

/** What `lua/lib/driver.lua` answers: its time, then for each decision 0 and the answer or 1 and a message. */
type Reply = readonly [serverMs: number, ...(readonly [failed: 0 | 1, answer: unknown])[]]

/** A decision of a script with a `decide(keys, args)`: its answer is what that answered. */
export class DrivenCall implements Call {
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
  readonly answer: (answer: unknown) => void
  readonly fail: (error: OstlerError) => void

  constructor(
    keys: readonly string[],
    args: readonly (string | number)[],
    answer: (answer: unknown) => void,
    fail: (error: OstlerError) => void,
  ) {
    this.keys = keys
    this.args = args
    this.answer = answer
    this.fail = fail
  }
}

/** Has decisions made by `lua/<name>.lua`, after the named files of `lua/lib`: see `lua/lib/driver.lua`. */
export class Driven implements Route<DrivenCall> {
  readonly id: string
  readonly script: Script
  readonly most = 32
  readonly bytes = false

  constructor(name: string, libs: readonly string[] = []) {
    this.script = defineDriven(name, libs)
    this.id = this.script.sha
  }

  sharedKeys(): readonly string[] {
    return NO_KEYS
  }

  addArguments(all: (string | number)[], calls: readonly DrivenCall[]): void {
    all.push(calls.length)
    for (const { keys, args } of calls) {
      all.push(keys.length, args.length)
      for (const arg of args) all.push(arg)
    }
  }

  answer(reply: unknown, batch: Batch<DrivenCall>): number {
    const told = reply as Reply
    const { calls } = batch
    for (let i = 0; i < calls.length; i++) {
      const [failed, answer] = told[i + 1] as readonly [0 | 1, unknown]
      if (failed === 0) calls[i].answer(answer)
      else calls[i].fail(batch.failureOf(String(answer)))
    }
    return told[0]
  }
}
