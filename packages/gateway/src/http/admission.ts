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
    /** What the limiter said of him. */
    decision: Decision | null
  }
}

type Deciding = Pick<Scheduler<Mode>, 'admit' | 'refund' | 'usage'>

const RATE_HEADERS = [
  HEADERS.limit,
  HEADERS.remaining,
  HEADERS.reset,
  HEADERS.rateLimit,
  HEADERS.rateLimitPolicy,
  HEADERS.retryAfter,
]

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
    app.decorateRequest('decision', null)
    app.addHook('onRequest', async (request, reply) => {
      const access = request.routeOptions.config.access ?? 'public'
      if (access === 'open') return
      if (access === 'public') await this.countAddress(request, reply)
      else await this.#enter(request, reply, access.scope)
    })
  }

  /** Takes back that a request was counted: it was a repeat, which uses no quota. Its headers say how its caller stands now. */
  async uncount({ decision, apiKey }: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (decision?.allowed === true) await this.#scheduler.refund(decision)
    for (const name of RATE_HEADERS) reply.removeHeader(name)
    if (apiKey === null || decision === null) return
    const policies = this.#policies(apiKey.tier)
    const used = await this.#scheduler.usage(apiKey.id, apiKey.tier)
    // Permits are listed as well, and are no policy.
    const [tightest] = used
      .filter(({ policy }) => policies.some(({ name }) => name === policy))
      .sort((a, b) => a.remaining - b.remaining)
    if (tightest === undefined) return
    const { atMs } = decision
    reply.headers(rateHeaders({ ...tightest, atMs, allowed: true, retryAfterMs: 0 }, policies))
  }

  /** Counts a request by its address, and says so in its answer. @throws ApiError RATE_LIMITED */
  async countAddress(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const key = callerOf(request.ip)
    const decision = await this.#scheduler.admit({ key, tier: UNAUTHENTICATED })
    request.decision = decision
    reply.headers(rateHeaders(decision, this.#policies(UNAUTHENTICATED)))
    throwIfDenied(request)
  }

  /** Counts a caller whose key was refused, by his address: so that keys can't be guessed. @throws ApiError RATE_LIMITED */
  async countRefused(address: string): Promise<Decision> {
    const key = callerOf(address)
    const decision = await this.#scheduler.admit({ key, tier: UNAUTHENTICATED })
    if (!decision.allowed) throw limited(decision)
    return decision
  }

  async #enter(request: FastifyRequest, reply: FastifyReply, scope: Scope): Promise<void> {
    let key: ApiKey
    try {
      key = keyOf(request, this.#options.keys)
    } catch (error) {
      await this.countAddress(request, reply)
      throw error
    }
    request.apiKey = key
    const decision = await this.#scheduler.admit({ key: key.id, tier: key.tier })
    request.decision = decision
    reply.headers(rateHeaders(decision, this.#policies(key.tier)))
    if (!mayBeRepeat(request)) throwIfDenied(request)
    checkScope(key, scope)
  }

  #policies(tier: string): readonly Policy[] {
    return this.#options.tiers[tier]?.policies ?? []
  }
}

/** Whether a request may be a repeat, which is answered even where its caller has nothing left. */
function mayBeRepeat({ method, headers }: FastifyRequest): boolean {
  return method === 'POST' && headers[HEADERS.idempotencyKey] !== undefined
}

/** Ends a request that the limiter has denied. @throws ApiError RATE_LIMITED */
export function throwIfDenied({ decision }: Pick<FastifyRequest, 'decision'>): void {
  if (decision?.allowed === false) throw limited(decision)
}

/** Where nothing is ever allowed, there is nothing to wait for. */
function limited({ policy, limit, retryAfterMs: waitMs }: Decision): ApiError {
  const retryAfterMs = waitMs < 0 ? null : waitMs
  const message = `at most ${limit} requests are allowed in a window of ${policy}`
  const details = { policy, limit, retryAfterMs }
  return new ApiError('RATE_LIMITED', message, { details, retryAfterMs })
}
