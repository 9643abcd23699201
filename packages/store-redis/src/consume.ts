// hot path: every admission is one of these calls. Those of one list of policies travel together,
// as names alone where they are plain, and come back as one string of bytes.

import { MAX_LIMIT, type ConsumeRequest, type OstlerError, type Verdict } from '@ostler/core'
import type { Batch, Call, Route } from './call.ts'
import type { Denials } from './denials.ts'
import { hashed } from './keys.ts'
import type { Compiled } from './policies.ts'
import { defineScript, type Script } from './scripts.ts'

/** Plain calls under one exact policy, as nearly all are; and any others. */
export const ADMIT: Script = defineScript('admit', ['window', 'verdict'])
export const CONSUME: Script = defineScript('consume', [
  'digits',
  'window',
  'tat',
  'policies',
  'policy',
  'permits',
  'verdict',
])

/** What binds where it is no policy, and other ends of a call: as `lua/lib/verdict.lua` has them. */
const PERMITS = -1
const NONE = -2
const FAILED = -3
const REPEATED = -4
/** The server's instant comes first, and this much for each call. */
const FIRST_BYTES = 8
const VERDICT_BYTES = 36
/** The most calls in one EVALSHA. */
const MOST_TOGETHER = 32

const NO_ARGS: readonly string[] = []
const NO_KEYS: readonly string[] = []

/** A call of `lua/admit.lua` or `lua/consume.lua`, until it has its verdict. */
export class ConsumeCall implements Call {
  readonly request: ConsumeRequest
  readonly digest: string
  readonly keys: readonly string[]
  readonly args: readonly string[]
  /** Drawn before it was asked, where its denial may be remembered. */
  readonly mark: number | null
  readonly answer: (verdict: Verdict) => void
  readonly fail: (error: OstlerError) => void

  constructor(
    request: ConsumeRequest,
    digest: string,
    keys: readonly string[],
    args: readonly string[],
    mark: number | null,
    answer: (verdict: Verdict) => void,
    fail: (error: OstlerError) => void,
  ) {
    this.request = request
    this.digest = digest
    this.keys = keys
    this.args = args
    this.mark = mark
    this.answer = answer
    this.fail = fail
  }

  /** The caller's instant where that decides, else nothing. */
  get given(): string {
    return this.args.length === 0 ? '' : this.args[0]
  }

  get write(): boolean {
    return this.args.length === 0 || this.args[1] === '1'
  }
}

/** What a call says beside its keys: nothing where it is plain, which is counted, of cost 1, by the server's time. */
export function argumentsOf(
  request: ConsumeRequest,
  given: string,
  write: boolean,
): readonly string[] {
  const { cost, permit, opId } = request
  const usual = given === '' && write && cost === 1
  if (usual && permit === undefined && opId === undefined) return NO_ARGS
  const counted = [given, write ? '1' : '0', String(cost)]
  const held =
    permit === undefined
      ? ['', '', '']
      : [hashed(permit.id), String(permit.cap), String(permit.deadlineMs)]
  return [...counted, ...held, opId === undefined ? '0' : '1']
}

/** The calls of one list of policies that are plain, or that are not. */
export class ConsumeRoute implements Route<ConsumeCall> {
  readonly id: string
  readonly script: Script
  readonly most: number = MOST_TOGETHER
  readonly bytes = true
  readonly #compiled: Compiled
  readonly #head: readonly string[]
  readonly #denials: Denials | null

  /** `slack`: what TTLs get on top; `channel`: where changes are told. */
  constructor(
    script: Script,
    isPlain: boolean,
    compiled: Compiled,
    slack: string,
    channel: string,
    denials: Denials | null,
  ) {
    this.id = `${script.sha} ${isPlain} ${compiled.text}`
    this.script = script
    this.#compiled = compiled
    this.#head = [slack, channel, String(compiled.names.length), ...compiled.args]
    this.#denials = denials
  }

  sharedKeys(): readonly string[] {
    return NO_KEYS
  }

  addArguments(all: (string | number)[], calls: readonly ConsumeCall[]): void {
    for (const arg of this.#head) all.push(arg)
    for (const { args } of calls) for (const arg of args) all.push(arg)
  }

  answer(reply: unknown, batch: Batch<ConsumeCall>): number {
    const [verdicts, ...texts] = reply as readonly Buffer[]
    const { calls, sentMs } = batch
    if (verdicts.length !== FIRST_BYTES + calls.length * VERDICT_BYTES) throw new Error('a verdict')
    let text = 0
    for (let i = 0; i < calls.length; i++) {
      const at = FIRST_BYTES + i * VERDICT_BYTES
      const binding = verdicts.readInt32LE(at)
      if (binding === FAILED) calls[i].fail(batch.failureOf(texts[text++].toString()))
      else if (binding === REPEATED) calls[i].answer(repeated(verdicts, at, texts[text++]))
      else this.#decided(calls[i], verdicts, at, binding, sentMs)
    }
    return verdicts.readDoubleLE(0)
  }

  #decided(call: ConsumeCall, bytes: Buffer, at: number, binding: number, sentMs: number): void {
    const retryAfterMs = bytes.readDoubleLE(at + 4)
    const verdict = {
      allowed: retryAfterMs === 0,
      policy: binding >= 0 ? this.#compiled.names[binding] : binding === NONE ? 'none' : 'permits',
      limit: binding >= 0 ? this.#compiled.limits[binding] : otherLimit(call, binding),
      remaining: bytes.readDoubleLE(at + 12),
      resetAtMs: bytes.readDoubleLE(at + 20),
      retryAfterMs,
      atMs: bytes.readDoubleLE(at + 28),
    }
    if (this.#denials !== null) this.#remember(this.#denials, call, verdict, sentMs)
    call.answer(verdict)
  }

  #remember(denials: Denials, call: ConsumeCall, verdict: Verdict, sentMs: number): void {
    const { digest, mark, given, write, request } = call
    const { allowed, retryAfterMs, atMs } = verdict
    // Another tier's denial of the same key may end at another time now.
    if (allowed && write) denials.forget(digest)
    if (allowed || mark === null || retryAfterMs < 0) return
    const { text } = this.#compiled
    const { key } = request
    if (given !== '') {
      return denials.keep(key, digest, text, verdict, mark, atMs, atMs + retryAfterMs)
    }
    // The server decided after `sentMs`; its clock may run a little faster than ours.
    const untilMs = sentMs + retryAfterMs * 0.999 - 2
    denials.keep(key, digest, text, verdict, mark, performance.now(), untilMs)
  }
}

function otherLimit({ request }: ConsumeCall, binding: number): number {
  return binding === PERMITS ? (request.permit?.cap ?? 0) : MAX_LIMIT
}

function repeated(bytes: Buffer, at: number, policy: Buffer): Verdict {
  return {
    allowed: true,
    policy: policy.toString(),
    limit: bytes.readDoubleLE(at + 4),
    remaining: bytes.readDoubleLE(at + 12),
    resetAtMs: bytes.readDoubleLE(at + 20),
    retryAfterMs: 0,
    atMs: bytes.readDoubleLE(at + 28),
  }
}
