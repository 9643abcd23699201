import { HEADERS, type Scope } from '@ostler/api'
import type { Decision, Mode, Policy, Scheduler } from '@ostler/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ApiKey } from '../keys/key.ts'
import { UNAUTHENTICATED, type ResolvedGatewayOptions } from '../options.ts'
import { callerOf } from './address.ts'
import { ApiError } from './api-error.ts'
import { checkScope, keyOf } from './auth.ts'
import { rateHeaders } from './rate-headers.ts'

/** Who may use a route: holders of a scope, counted by their key; anybody, counted by his address; or anybody, uncounted. */
export type Access = { readonly scope: Scope } | 'public' | 'open'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Default 'public': a route that says nothing is counted. */
    readonly access?: Access
  }
  interface FastifyRequest {
    /** The caller's key, where the route asks for one. */
    apiKey: ApiKey | null
  }
}

type Deciding = Pick<Scheduler<Mode>, 'admit'>

/** The first step of every request: who asks, and may he go on? */
export class Admission {
  readonly #options: Pick<ResolvedGatewayOptions, 'keys' | 'tiers'>
  readonly #scheduler: Deciding

  constructor(options: Pick<ResolvedGatewayOptions, 'keys' | 'tiers'>, scheduler: Deciding) {
    this.#options = options
    this.#scheduler = scheduler
  }

  install(app: FastifyInstance): void {
    app.decorateRequest('apiKey', null)
    app.addHook('onRequest', async (request, reply) => {
      const access = request.routeOptions.config.access ?? 'public'
      if (access === 'open') return
      if (access === 'public') return this.#countAddress(request, reply)
      await this.#enter(request, reply, access.scope)
    })
  }

  /** Counts a request of a key. Those with an idempotency key are counted once they are known to be no repeat. */
  async count(key: ApiKey, reply: FastifyReply): Promise<void> {
    tell(
      reply,
      await this.#scheduler.admit({ key: key.id, tier: key.tier }),
      this.policies(key.tier),
    )
  }

  policies(tier: string): readonly Policy[] {
    return this.#options.tiers[tier]?.policies ?? []
  }

  /** Counts a caller whose key was refused, by his address: so that keys can't be guessed. @throws ApiError RATE_LIMITED */
  async countRefused(address: string): Promise<Decision> {
    const decision = await this.#scheduler.admit({ key: callerOf(address), tier: UNAUTHENTICATED })
    if (!decision.allowed) throw limited(decision)
    return decision
  }

  async #enter(request: FastifyRequest, reply: FastifyReply, scope: Scope): Promise<void> {
    let key: ApiKey
    try {
      key = keyOf(request, this.#options.keys)
    } catch (error) {
      await this.#countAddress(request, reply)
      throw error
    }
    request.apiKey = key
    if (request.method !== 'POST' || request.headers[HEADERS.idempotencyKey] === undefined) {
      await this.count(key, reply)
    }
    checkScope(key, scope)
  }

  async #countAddress(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const decision = await this.#scheduler.admit({
      key: callerOf(request.ip),
      tier: UNAUTHENTICATED,
    })
    tell(reply, decision, this.policies(UNAUTHENTICATED))
  }
}

/** @throws ApiError RATE_LIMITED */
function tell(reply: FastifyReply, decision: Decision, policies: readonly Policy[]): void {
  reply.headers(rateHeaders(decision, policies))
  if (!decision.allowed) throw limited(decision)
}

function limited({ policy, limit, retryAfterMs }: Decision): ApiError {
  const message = `at most ${limit} requests are allowed in a window of ${policy}`
  const details = { policy, limit, retryAfterMs }
  return new ApiError('RATE_LIMITED', message, { details, retryAfterMs })
}
