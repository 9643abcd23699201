import type { Engine } from './engine.ts'
import { hashed, type Keys } from './keys.ts'
import { Driven } from './driven.ts'

const PERMIT = new Driven('permit', ['permits'])

/** What `Store` promises of permits, renew and release; they are taken by consume. */
export class RedisPermits {
  readonly #engine: Engine
  readonly #keys: Keys

  constructor(engine: Engine, keys: Keys) {
    this.#engine = engine
    this.#keys = keys
  }

  async permits(key: string, nowMs: number): Promise<number> {
    return this.#ask(key, nowMs, 'count', '', '')
  }

  async renew(key: string, permitId: string, deadlineMs: number, nowMs: number): Promise<boolean> {
    return (await this.#ask(key, nowMs, 'renew', hashed(permitId), String(deadlineMs))) === 1
  }

  async release(key: string, permitId: string, nowMs: number): Promise<boolean> {
    return (await this.#ask(key, nowMs, 'release', hashed(permitId), '')) === 1
  }

  async #ask(
    key: string,
    nowMs: number,
    act: string,
    id: string,
    deadlineMs: string,
  ): Promise<number> {
    const keys = [this.#keys.limit(this.#keys.digest(key), 'p')]
    const args = [this.#engine.given(nowMs), act, String(this.#engine.slackMs), id, deadlineMs]
    return (await this.#engine.call(PERMIT, keys, args)) as number
  }
}
