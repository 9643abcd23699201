import type { OstlerError } from '@ostler/core'
import { argumentsOf, type Batch, type Call } from './call.ts'
import { failureOf, isMoved, isNoScript, isReadOnly, unavailable } from './failures.ts'
import type { ServerClock } from './server-clock.ts'

/** What the driver answers: its time, then for each decision 0 and the answer or 1 and a message. */
type Reply = readonly [serverMs: number, ...(readonly [failed: 0 | 1, answer: unknown])[]]

/** Takes decisions to Redis, and their answers back. */
export class Sender {
  readonly #clock: ServerClock
  readonly #replicas: number

  /** `clock` learns from each answer; `replicas`: how many must have a replicated batch. */
  constructor(clock: ServerClock, replicas: number) {
    this.#clock = clock
    this.#replicas = replicas
  }

  /** Sends a batch as one EVALSHA. Every call of it is answered or fails; nothing is thrown. */
  async send(batch: Batch): Promise<void> {
    const sentMs = Date.now()
    try {
      const reply = (await this.#run(batch)) as Reply
      if (reply[0] !== 0) this.#clock.learn(reply[0], sentMs, Date.now())
      this.#answer(batch, reply)
    } catch (error) {
      const failure = unavailable('Redis could not be asked', error)
      for (const call of batch.calls) call.fail(failure)
    }
  }

  /** Asks again only where nothing can have run. */
  async #run(batch: Batch): Promise<unknown> {
    const { script, link, calls, replicated } = batch
    const rest = argumentsOf(calls)
    try {
      return await this.#ask(batch, 'evalsha', [script.sha, ...rest])
    } catch (error) {
      // ioredis follows a lone command to where its slot has moved, but not a pipeline.
      const moved = replicated && isMoved(error)
      if (!moved && !isNoScript(error)) throw error
      if (moved) await link.findSlots()
      return this.#ask(batch, 'eval', [script.text, ...rest])
    }
  }

  #ask(batch: Batch, command: string, args: (string | number)[]): Promise<unknown> {
    if (batch.replicated) return this.#askReplicated(batch, command, args)
    return batch.link.client.call(command, args)
  }

  /** The script and WAIT as one pipeline: on a Cluster too both go to the node of the keys. */
  async #askReplicated(batch: Batch, command: string, args: (string | number)[]): Promise<unknown> {
    // Its answer should come before the budget is over.
    const leftMs = (batch.calls[0].deadlineMs - performance.now()) * 0.8
    const wait = ['wait', this.#replicas, Math.max(1, Math.floor(leftMs))]
    const pipeline = batch.link.client.pipeline([[command, ...args], wait])
    const results = (await pipeline.exec()) ?? []
    for (const [error] of results) if (error !== null) throw error
    const reached = Number(results[1]?.[1] ?? 0)
    if (reached >= this.#replicas) return results[0][1]
    throw new Error(`decided, but ${reached} of ${this.#replicas} replicas had it in time`)
  }

  #answer(batch: Batch, reply: Reply): void {
    for (const [i, call] of batch.calls.entries()) {
      const [failed, answer] = reply[i + 1] as readonly [0 | 1, unknown]
      if (failed === 0) call.answer(answer)
      else this.#refuse(batch, call, String(answer))
    }
  }

  #refuse({ link }: Batch, call: Call, message: string): void {
    if (isReadOnly(message)) link.renew()
    const failure: OstlerError = failureOf(message)
    call.fail(failure)
  }
}
