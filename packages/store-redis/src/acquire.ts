// hot path: every pick sends one of these calls. Those of one turn travel together, and say what
// they have in common once.

import type { AcquireRequest, OstlerError } from '@ostler/core'
import type { Batch, Call, Route } from './call.ts'
import type { HealthContext } from './health-context.ts'
import { defineScript, type Script } from './scripts.ts'

const ACQUIRE = defineScript('acquire', [
  'digits',
  'meta',
  'record',
  'incident',
  'domain',
  'changes',
  'announce',
  'keep',
  'lease',
])

/** As the script tells changes: `[version]`, or `[version, flags, incident, exit, record, ...]`. */
type Told = readonly (number | string)[]

/** What `lua/acquire.lua` answers; 3 is an agent that is given where there is no news. */
export type AcquireAnswer =
  | readonly [kind: 1, index: number, epoch: number, probe: 0 | 1, fleet: number, changes: Told]
  | readonly [kind: 3, index: number, epoch: number, probe: 0 | 1, fleet: number, version: number]
  | readonly [kind: 0, busyUntilMs: readonly number[], fleet: number, changes: Told]
type Failed = readonly [kind: 2, message: string]

/** A call of `lua/acquire.lua`. */
export class AcquireCall implements Call {
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
  readonly answer: (answer: AcquireAnswer) => void
  readonly fail: (error: OstlerError) => void

  constructor(
    request: AcquireRequest,
    keys: readonly string[],
    answer: (answer: AcquireAnswer) => void,
    fail: (error: OstlerError) => void,
  ) {
    const { domain, viewVersion, leaseId, deadlineMs, candidates } = request
    const args = [domain, viewVersion, leaseId, deadlineMs, candidates.length]
    for (const { exit, maxConcurrency } of candidates) args.push(exit, maxConcurrency)
    this.keys = keys
    this.args = args
    this.answer = answer
    this.fail = fail
  }
}

/** The picks of one policy. */
export class AcquireRoute implements Route<AcquireCall> {
  readonly id: string
  readonly script: Script = ACQUIRE
  readonly most = 32
  readonly bytes = false
  readonly keys: readonly string[]
  readonly #head: readonly (string | number)[]

  constructor(
    { meta, keys }: HealthContext,
    head: readonly (string | number)[],
    strikeDecayMs: number,
    maxLeases: number,
  ) {
    this.keys = [meta, keys.health('x')]
    this.#head = [...head, strikeDecayMs, maxLeases]
    this.id = [ACQUIRE.sha, ...this.#head].join(' ')
  }

  addArguments(all: (string | number)[], calls: readonly AcquireCall[]): void {
    for (const arg of this.#head) all.push(arg)
    for (const { args } of calls) for (const arg of args) all.push(arg)
  }

  answer(reply: unknown, batch: Batch<AcquireCall>): number {
    const told = reply as readonly [number, ...(AcquireAnswer | Failed)[]]
    const { calls } = batch
    for (let i = 0; i < calls.length; i++) {
      const answer = told[i + 1] as AcquireAnswer | Failed
      if (answer[0] === 2) calls[i].fail(batch.failureOf(answer[1]))
      else calls[i].answer(answer)
    }
    return told[0]
  }
}
