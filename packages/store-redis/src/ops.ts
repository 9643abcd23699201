import type { BeginRequest, Begun, CompleteRequest } from '@ostler/core'
import type { Engine } from './engine.ts'
import { hashed, type Keys } from './keys.ts'
import { Driven } from './driven.ts'

const IDEMPOTENCY = new Driven('idempotency')

type Answered =
  | readonly ['started']
  | readonly ['mismatch']
  | readonly ['running', number]
  | readonly ['done', string]

/** Idempotency records: what `Store` promises of begin and complete. They go when they expire. */
export class RedisOps {
  readonly #engine: Engine
  readonly #keys: Keys

  constructor(engine: Engine, keys: Keys) {
    this.#engine = engine
    this.#keys = keys
  }

  async begin(request: BeginRequest): Promise<Begun> {
    const { id, fingerprint, nowMs, runUntilMs, expiresAtMs } = request
    const rest = [String(runUntilMs), String(expiresAtMs)]
    const answer = (await this.#ask(id, nowMs, 'begin', fingerprint, rest)) as Answered
    switch (answer[0]) {
      case 'running':
        return { kind: 'running', untilMs: answer[1] }
      case 'done':
        return { kind: 'done', value: answer[1] }
      default:
        return { kind: answer[0] }
    }
  }

  async complete(request: CompleteRequest): Promise<boolean> {
    const { id, fingerprint, value, nowMs } = request
    const rest = value === null ? ['0', ''] : ['1', value]
    return (await this.#ask(id, nowMs, 'complete', fingerprint, rest)) === 1
  }

  #ask(
    id: string,
    nowMs: number,
    act: string,
    fingerprint: string,
    rest: readonly string[],
  ): Promise<unknown> {
    const key = this.#keys.limit(hashed(id), 'i')
    const { slackMs } = this.#engine
    const head = [this.#engine.given(nowMs), act, String(slackMs), hashed(fingerprint)]
    return this.#engine.call(IDEMPOTENCY, [key], [...head, ...rest])
  }
}
