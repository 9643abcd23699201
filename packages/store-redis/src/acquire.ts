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

/** What `lua/acquire.lua` answers: an index alone is a candidate of epoch 0, no probe, that is given where there is no news. */
export type AcquireAnswer =
  | number
  | readonly [kind: 1, index: number, epoch: number, probe: 0 | 1, changes: Told]
  | readonly [kind: 0, busyUntilMs: readonly number[], changes: Told]
type Failed = readonly [kind: 2, message: string]

/** A call of `lua/acquire.lua`. */
export class AcquireCall implements Call {
  readonly domain: string
  readonly domainKeys: readonly string[]
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
  readonly answer: (answer: AcquireAnswer, fleetVersion: number) => void
  readonly fail: (error: OstlerError) => void

  constructor(
    request: AcquireRequest,
    domainKeys: readonly string[],
    keys: readonly string[],
    answer: (answer: AcquireAnswer, fleetVersion: number) => void,
    fail: (error: OstlerError) => void,
  ) {
    const { domain, viewVersion, leaseId, deadlineMs, candidates } = request
    const args: (string | number)[] = [viewVersion, leaseId, deadlineMs, candidates.length]
    for (const { exit, maxConcurrency } of candidates) args.push(exit, maxConcurrency)
    this.domain = domain
    this.domainKeys = domainKeys
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
  readonly #keys: readonly string[]
  readonly #head: readonly (string | number)[]

  constructor(
    { meta, keys }: HealthContext,
    head: readonly (string | number)[],
    strikeDecayMs: number,
    maxLeases: number,
  ) {
    this.#keys = [meta, keys.health('x')]
    this.#head = [...head, strikeDecayMs, maxLeases]
    this.id = [ACQUIRE.sha, ...this.#head].join(' ')
  }

  sharedKeys(calls: readonly AcquireCall[]): readonly string[] {
    return this.#keys.concat(...domainsOf(calls).map(({ domainKeys }) => domainKeys))
  }

  addArguments(all: (string | number)[], calls: readonly AcquireCall[]): void {
    const domains = domainsOf(calls)
    for (const arg of this.#head) all.push(arg)
    all.push(domains.length)
    for (const { domain } of domains) all.push(domain)
    for (const { domain, args } of calls) {
      all.push(1 + domains.findIndex((one) => one.domain === domain))
      for (const arg of args) all.push(arg)
    }
  }

  answer(reply: unknown, batch: Batch<AcquireCall>): number {
    const told = reply as readonly [number, number, ...(AcquireAnswer | Failed)[]]
    const { calls } = batch
    const [serverMs, fleetVersion] = told
    for (let i = 0; i < calls.length; i++) {
      const answer = told[i + 2]
      if (typeof answer !== 'number' && answer[0] === 2) {
        calls[i].fail(batch.failureOf(answer[1]))
      } else calls[i].answer(answer, fleetVersion)
    }
    return serverMs
  }
}

/** One call of each domain. */
function domainsOf(calls: readonly AcquireCall[]): readonly AcquireCall[] {
  const domains: AcquireCall[] = []
  for (const call of calls) {
    if (!domains.some(({ domain }) => domain === call.domain)) domains.push(call)
  }
  return domains
}
