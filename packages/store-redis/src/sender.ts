import type { Budget } from './budget.ts'
import type { Batch } from './call.ts'
import { isMoved, isNoScript, unavailable } from './failures.ts'
import type { ServerClock } from './server-clock.ts'

/** Takes decisions to Redis, and their answers back, within their budget. */
export class Sender {
  readonly #clock: ServerClock
  readonly #replicas: number

  /** `clock` learns from each answer; `replicas`: how many must have a replicated batch. */
  constructor(clock: ServerClock, replicas: number) {
    this.#clock = clock
    this.#replicas = replicas
  }

  /** Sends a batch as one EVALSHA. Every call of it is answered or fails; nothing is thrown. */
  async send(batch: Batch, budget: Budget): Promise<void> {
    budget.add(batch)
    const sentMs = Date.now()
    try {
      const reply = await this.#run(batch)
      if (batch.expired) return
      const serverMs = batch.route.answer(reply, batch)
      if (serverMs !== 0) this.#clock.learn(serverMs, sentMs, Date.now())
    } catch (error) {
      if (batch.expired) return
      batch.fail(unavailable('Redis could not be asked', error))
    }
    budget.remove(batch)
  }

  /** Asks again only where nothing can have run. */
  async #run(batch: Batch): Promise<unknown> {
    const { link, replicated } = batch
    const { script } = batch.route
    try {
      return await this.#ask(batch, 'evalsha', batch.command(script.sha))
    } catch (error) {
      // ioredis follows a lone command to where its slot has moved, but not a pipeline.
      const moved = replicated && isMoved(error)
      if (!moved && !isNoScript(error)) throw error
      if (moved) await link.findSlots()
      return this.#ask(batch, 'eval', batch.command(script.text))
    }
  }

  #ask(batch: Batch, command: string, args: (string | number)[]): Promise<unknown> {
    if (batch.replicated) return this.#askReplicated(batch, command, args)
    const { client } = batch.link
    return batch.route.bytes ? client.callBuffer(command, args) : client.call(command, args)
  }

  /** The script and WAIT as one pipeline: on a Cluster too both go to the node of the keys. */
  async #askReplicated(batch: Batch, command: string, args: (string | number)[]): Promise<unknown> {
    // Its answer should come before the budget is over.
    const leftMs = (batch.deadlineMs - performance.now()) * 0.8
    const wait = ['wait', this.#replicas, Math.max(1, Math.floor(leftMs))]
    const pipeline = batch.link.client.pipeline([[command, ...args], wait])
    const results = (await pipeline.exec()) ?? []
    for (const [error] of results) if (error !== null) throw error
    const reached = Number(results[1]?.[1] ?? 0)
    if (reached >= this.#replicas) return results[0][1]
    throw new Error(`decided, but ${reached} of ${this.#replicas} replicas had it in time`)
  }
}
