import type { Agent } from '@ostler/core'
import { addressOf, urlOf, type Endpoint, type Reason } from './endpoint.ts'

/**
 * One agent of a file as it was read, or why it could not be. `at` says where it stands: `line 7`,
 * `element 3`.
 */
export interface Entry {
  readonly at: string
  readonly read: Draft | Reason
}

/** An agent before duplicates are folded. `key` names it: two of one key are one agent. */
export interface Draft {
  readonly key: string
  readonly agent: Agent
  /** Whether the file gave the id; one that was made up may be numbered. */
  readonly named: boolean
}

/** What a reader makes of a file: its entries in order, and what else there is to say. */
export interface Reading {
  readonly entries: readonly Entry[]
  readonly notes: readonly string[]
}

/** A field that a file may leave out. */
export type Details = Partial<Omit<Agent, 'id' | 'url'>>

/**
 * The draft of an agent that is reached at an endpoint. Its key is its id where the file gives one;
 * else scheme, user, host and port, for providers sell different exits under one address by the
 * user's name. The password is no part of it.
 */
export function draftAt(endpoint: Endpoint, details: Details = {}, id?: string): Draft {
  const address = addressOf(endpoint)
  const agent = { id: id ?? address, ...details, url: urlOf(endpoint) }
  if (id !== undefined) return draftNamed(agent)
  return { key: `${address} ${endpoint.username ?? ''}`, agent, named: false }
}

/** The draft of an agent whose id the file gives; it needs no url. */
export function draftNamed(agent: Agent): Draft {
  return { key: `id ${agent.id}`, agent, named: true }
}
