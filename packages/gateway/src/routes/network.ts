import { setTimeout } from 'node:timers/promises'
import type { FieldProblem } from '@ostler/api'
import {
  OstlerError,
  type Agent,
  type DomainHealth,
  type Mode,
  type Page as CorePage,
  type Scheduler,
  type StoredAgent,
} from '@ostler/core'
import type { FastifyReply } from 'fastify'
import { Type, type Static } from 'typebox'
import { readEndpoint } from '../agents/endpoint.ts'
import { AgentFailure } from '../agents/failure.ts'
import { ApiError } from '../http/api-error.ts'
import { keyOf } from '../http/auth.ts'
import { envelopeOf } from '../http/error-handler.ts'
import { takePlace } from '../http/permit.ts'
import type { House, Routes } from '../house.ts'
import type { ApiKey } from '../keys/key.ts'
import { takeForEvents } from '../stream/sse.ts'
import { errorAnswers } from './error-answers.ts'

const Counts = Type.Object({
  available: Type.Integer(),
  limited: Type.Integer(),
  unavailable: Type.Integer(),
})

const HealthAnswer = Type.Object({
  domain: Type.String(),
  counts: Counts,
  incident: Type.Optional(Type.Object({ openedAtMs: Type.Integer() })),
  nextRecoveryAtMs: Type.Union([Type.Integer(), Type.Null()]),
  agents: Type.Array(
    Type.Object({
      id: Type.String(),
      health: Type.String(),
      reason: Type.String(),
      untilMs: Type.Integer(),
    }),
  ),
  next: Type.Union([Type.Integer(), Type.Null()], { description: 'Where the next page begins' }),
})

const AgentBody = Type.Object(
  {
    country: Type.Optional(Type.String()),
    region: Type.Optional(Type.String()),
    city: Type.Optional(Type.String()),
    lat: Type.Optional(Type.Number()),
    lon: Type.Optional(Type.Number()),
    exitIp: Type.Optional(Type.String()),
    asn: Type.Optional(Type.Integer()),
    tags: Type.Optional(Type.Array(Type.String())),
    weight: Type.Optional(Type.Number()),
    maxConcurrency: Type.Optional(Type.Integer()),
    url: Type.Optional(
      Type.String({ description: 'http, https or socks5; or direct. Never shown' }),
    ),
  },
  { additionalProperties: false },
)
const AgentAnswer = Type.Object({ id: Type.String() }, { additionalProperties: true })
const Page = Type.Object({
  offset: Type.Optional(Type.Integer({ minimum: 0, description: 'The first to list' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
})
const WATCH_EVERY_MS = 1000
/** Who watches waits so many times as long as a look took: a page of a domain that excludes a million takes a second. */
const RESTS = 50
const PERMIT_MS = 60_000

/** `GET /network/...` and, for admins, `PUT` and `DELETE` of agents. */
export function networkRoutes(app: Routes, house: House): void {
  healthRoute(app, house)
  agentsRoute(app, house)
  changeRoutes(app, house)
}

function healthRoute(app: Routes, house: House): void {
  const { scheduler } = house
  app.get(
    '/network/health/:domain',
    {
      config: { access: { scope: 'network' } },
      schema: {
        summary: "How a domain's agents stand; as text/event-stream: each time that changes",
        params: Type.Object({ domain: Type.String({ minLength: 1, maxLength: 253 }) }),
        querystring: Page,
        response: {
          200: {
            description:
              'As it stands; or health events, the first at once, each of the same form; an error event where it is taken from its reader',
            content: {
              'application/json': { schema: HealthAnswer },
              'text/event-stream': { schema: Type.String() },
            },
          },
          ...errorAnswers,
        },
      },
    },
    async (request, reply) => {
      const { domain } = request.params
      const page = request.query
      const health = await scheduler.health(domain, page)
      const { accept } = request.headers
      const isStream = accept?.includes('text/event-stream') === true && request.method !== 'HEAD'
      if (!isStream) return shown(health)
      const lost = new AbortController()
      // A permit is only given together with a request, and this one has been counted.
      if (request.decision !== null) await scheduler.refund(request.decision)
      const key = request.apiKey as ApiKey
      const findKey = (): ApiKey => keyOf(request, house.options.keys)
      const onLost = (error: ApiError): void => lost.abort(error)
      const permit = await takePlace(house, { key, ttlMs: PERMIT_MS, findKey, onLost })
      try {
        await house.workshop.work(reply, (signal) => {
          house.turns.stays(reply.raw)
          return watch(house, reply, AbortSignal.any([signal, lost.signal]), domain, page)
        })
      } finally {
        await permit.release()
      }
      return undefined
    },
  )
}

/** Tells how a domain stands whenever that is new. What recovers does so by the clock alone, so it is looked at, not waited for. */
async function watch(
  { scheduler, workshop }: House,
  reply: FastifyReply,
  ended: AbortSignal,
  domain: string,
  page: CorePage,
): Promise<void> {
  // Not before: what is refused is answered like everything else.
  const stream = takeForEvents(reply)
  const signal = AbortSignal.any([ended, workshop.closing])
  let told = ''
  try {
    while (!signal.aborted) {
      const startMs = performance.now()
      const health = shown(await scheduler.health(domain, page))
      const text = JSON.stringify(health)
      if (text !== told) {
        if (stream.send('health', health) === 'full') await stream.drained()
        told = text
      }
      // All who watch together take a small part of the process, however many are excluded.
      const restMs = Math.max(WATCH_EVERY_MS, (performance.now() - startMs) * RESTS)
      await setTimeout(restMs, undefined, { signal }).catch(() => undefined)
    }
    // What took it from its reader is told, so that it is not taken for the gateway's end.
    const { reason } = ended
    if (reason instanceof ApiError) stream.send('error', envelopeOf(reason, reply.request.id))
  } finally {
    stream.end()
  }
}

function agentsRoute(app: Routes, { scheduler }: House): void {
  app.get(
    '/network/agents',
    {
      config: { access: { scope: 'network' } },
      schema: {
        summary: 'The agents of the fleet',
        querystring: Page,
        response: {
          200: Type.Object({
            total: Type.Integer(),
            agents: Type.Array(AgentAnswer),
            next: Type.Union([Type.Integer(), Type.Null()]),
          }),
          ...errorAnswers,
        },
      },
    },
    async (request) => {
      const { offset = 0, limit = 100 } = request.query
      await refreshedAgents(scheduler)
      const agents: Shown[] = []
      let at = 0
      for (const agent of scheduler.agents.values()) {
        if (at >= offset + limit) break
        if (at++ >= offset) agents.push(withoutUrl(agent))
      }
      const { size } = scheduler.agents
      return { total: size, agents, next: offset + limit < size ? offset + limit : null }
    },
  )
}

function changeRoutes(app: Routes, { scheduler }: House): void {
  const access = { scope: 'admin' } as const
  const params = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) })
  app.put(
    '/network/agents/:id',
    {
      config: { access },
      schema: {
        summary: 'Add an agent, or replace the one of this id',
        params,
        body: AgentBody,
        response: { 200: AgentAnswer, ...errorAnswers },
      },
    },
    async (request) => {
      const { id } = request.params
      const agent = { id, ...request.body }
      if (agent.url !== undefined) checkEndpoint(agent.url)
      try {
        await scheduler.agents.upsert([agent])
      } catch (error) {
        throw invalidAgent(error)
      }
      return withoutUrl(scheduler.agents.get(id) ?? agent)
    },
  )
  app.delete(
    '/network/agents/:id',
    {
      config: { access },
      schema: {
        summary: 'Take an agent out of the fleet',
        params,
        response: { 204: Type.Null(), ...errorAnswers },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await refreshedAgents(scheduler)
      if (scheduler.agents.get(id) === undefined) {
        throw new ApiError('NOT_FOUND', `there is no agent ${JSON.stringify(id)}`)
      }
      await scheduler.agents.remove([id])
      return reply.code(204).send(null)
    },
  )
}

/** Catches up with what other gateways did to the fleet. While the store is out of reach it stays as it was known. */
export async function refreshedAgents({ agents }: Scheduler<Mode>): Promise<void> {
  try {
    await agents.refresh()
  } catch (error) {
    if (!(error instanceof OstlerError) || error.code !== 'STORE_UNAVAILABLE') throw error
  }
}

/** What is wrong with an agent, by the fields of the request that it came in; other errors as they are. */
function invalidAgent(error: unknown): unknown {
  if (!(error instanceof OstlerError) || error.code !== 'INVALID_AGENT') return error
  const fields = error.problems.map(({ path, message }): FieldProblem => {
    const field = path.replace('[0].', '')
    return { path: field === 'id' ? 'params.id' : `body.${field}`, message }
  })
  const listed = fields.map(({ path, message }) => `${path} ${message}`).join('; ')
  return new ApiError('VALIDATION_ERROR', listed, { details: { fields }, cause: error })
}

/** @throws ApiError VALIDATION_ERROR; the url is not shown, it may hold credentials */
function checkEndpoint(url: string): void {
  try {
    readEndpoint(url)
  } catch (error) {
    if (!(error instanceof AgentFailure)) throw error
    const { message } = error
    const details = { fields: [{ path: 'body.url', message }] }
    throw new ApiError('VALIDATION_ERROR', `body.url: ${message}`, { details })
  }
}

type Shown = Omit<StoredAgent, 'url'>

/** An agent as it may be shown: how it is reached is nobody's business, and may hold credentials. */
function withoutUrl({ url: _url, ...agent }: Agent): Shown {
  return agent
}

function shown(health: DomainHealth): Static<typeof HealthAnswer> {
  return { ...health, agents: health.agents.map(({ exit: _exit, ...agent }) => agent) }
}
