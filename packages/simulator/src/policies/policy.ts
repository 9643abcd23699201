import type { Mode, Result } from '@ostler/core'
import type { Response } from '../world/responses.ts'
import type { Hint } from '../world/clients.ts'
import type { World } from '../world/world.ts'

/** What a policy is told of a request: no more than a gateway would know. */
export interface Request {
  nowMs: number
  /** Index of the domain in the world. */
  domain: number
  hint: Hint
}

/**
 * An agent for a request; `token` is the policy's own note on it, and comes back with the report.
 */
export interface Choice<Token = unknown> {
  /** Index of the agent in the world's fleet. */
  readonly agent: number
  readonly token: Token
}

/**
 * A way to pick agents, in use: asked at each request, told at each end of a dispatch. Nothing else
 * happens until it has answered.
 */
export interface Picker<Token = unknown, M extends Mode = 'sync'> {
  /** Null refuses the request. `request` is reused: copy what is kept. */
  pick(request: Readonly<Request>): Result<M, Choice<Token> | null>
  report(
    choice: Choice<Token>,
    response: Response,
    latencyMs: number,
    nowMs: number,
  ): Result<M, void>
  /** Times that something was taken out of use, by the policy's own lights. */
  readonly exclusions: number
  /** Trial dispatches to something taken out of use. */
  readonly probes: number
}

/**
 * A policy of the comparison: its name, what it does in one line, and a fresh picker for a world.
 */
export interface PolicySpec<M extends Mode = 'sync'> {
  readonly name: PolicyName
  readonly summary: string
  start(world: World): Result<M, Picker<unknown, M>>
}

export type PolicyName = 'ostler' | 'random' | 'round-robin' | 'blacklist' | 'session-pool'
