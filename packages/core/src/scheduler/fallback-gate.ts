// hot path: each admission by a synchronous store that may be out of reach, such as a file.

import { checkKey } from '../limit/key.ts'
import type { ResolvedPolicy } from '../limit/policy.ts'
import type { Gate } from '../store/gate.ts'
import type { Mode, Store, Verdict } from '../store/store.ts'
import type { Circuit } from './circuit.ts'
import { KeptVerdict } from './kept-verdict.ts'

export type Gates = (policies: readonly ResolvedPolicy[]) => Gate

/** Makes the gates of a store that may be out of reach, in whose place `fallback` then decides; null where it has none. */
export function gatesOf<M extends Mode>(
  store: Store<M>,
  circuit: Circuit,
  fallback: Store<M>,
): Gates | null {
  if (store.mode === 'async' || store.gate === undefined) return null
  const gates = store.gate.bind(store)
  return (policies) =>
    new FallbackGate(gates(policies), circuit, fallback as Store<'sync'>, policies)
}

/** A store's own gate, and the stand-in while the store is out of reach. */
class FallbackGate extends KeptVerdict implements Gate {
  slot = 0
  readonly #gate: Gate
  readonly #circuit: Circuit
  readonly #fallback: Store<'sync'>
  readonly #policies: readonly ResolvedPolicy[]

  constructor(
    gate: Gate,
    circuit: Circuit,
    fallback: Store<'sync'>,
    policies: readonly ResolvedPolicy[],
  ) {
    super()
    this.#gate = gate
    this.#circuit = circuit
    this.#fallback = fallback
    this.#policies = policies
  }

  consume(key: string, cost: number, hint: number): boolean {
    if (this.#circuit.isOpen) return this.#stand(key, cost, true)
    const gate = this.#gate
    gate.atMs = this.atMs
    try {
      gate.consume(key, cost, hint)
    } catch (error) {
      this.#circuit.failed(error)
      return this.#stand(key, cost, true)
    }
    return this.#keep(gate, gate.slot)
  }

  peek(key: string, cost: number, hint: number): boolean {
    if (this.#circuit.isOpen) return this.#stand(key, cost, false)
    const gate = this.#gate
    gate.atMs = this.atMs
    try {
      gate.peek(key, cost, hint)
    } catch (error) {
      this.#circuit.failed(error)
      return this.#stand(key, cost, false)
    }
    return this.#keep(gate, gate.slot)
  }

  /** The circuit is open: the stand-in decides. */
  #stand(key: string, cost: number, write: boolean): boolean {
    checkKey(key)
    const request = { key, policies: this.#policies, cost, nowMs: this.atMs }
    const fallback = this.#fallback
    return this.#keep(write ? fallback.consume(request) : fallback.peek(request), 0)
  }

  #keep(verdict: Verdict, slot: number): boolean {
    this.slot = slot
    return this.keep(verdict)
  }
}
