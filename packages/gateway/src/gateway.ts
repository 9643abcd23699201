import type { Server } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { HEADERS } from '@ostler/api'
import { Scheduler, type Mode } from '@ostler/core'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, { type FastifyHttpOptions } from 'fastify'
import { createDispatcher } from './agents/dispatch.ts'
import { Admission } from './http/admission.ts'
import { answerClientError, answerErrors, answerFrameworkError } from './http/error-handler.ts'
import { Operations } from './http/idempotency.ts'
import { newRequestId } from './http/request-id.ts'
import { loggerOf, RequestLog } from './http/request-log.ts'
import { Turns } from './http/turns.ts'
import { validatorOf } from './http/validator.ts'
import { answerBareRequests } from './http/wire.ts'
import { Workshop, type House, type Routes } from './house.ts'
import {
  resolveGatewayOptions,
  type GatewayOptions,
  type ResolvedGatewayOptions,
} from './options.ts'
import { amqpRoutes } from './routes/amqp.ts'
import { debugRoutes } from './routes/debug.ts'
import { documentRoutes } from './routes/documents.ts'
import { fetchRoutes } from './routes/fetch.ts'
import { networkRoutes, refreshedAgents } from './routes/network.ts'
import { operationRoutes } from './routes/operations.ts'
import { usageRoutes } from './routes/usage.ts'
import { createGuard } from './target/guard.ts'
import { Counters } from './usage/counters.ts'
import { Metrics } from './usage/metrics.ts'
import { Tally } from './usage/tally.ts'
import { socketRoutes } from './ws/route.ts'
import { Sockets } from './ws/sockets.ts'

/** How long a caller may take to send a request, and how long a connection may wait for its next one. */
const RECEIVE_WITHIN_MS = 60_000
/** How often it is looked who takes longer. */
const LOOK_EVERY_MS = 5_000
const KEEP_ALIVE_MS = 65_000
const MOST_HEADER_BYTES = 32 * 1024
const MOST_PARAM_CHARACTERS = 1_024
const POLL_MS = 20
/** For answers that are on their way when all work is done. */
const LAST_ANSWERS_MS = 500

/** A gateway: an app of fastify, and the scheduler that it asks. */
export interface Gateway {
  readonly app: Routes
  readonly scheduler: Scheduler<Mode>
  /** Begins to listen; resolves with the address, such as `http://127.0.0.1:8080`. */
  listen(address: { readonly port: number; readonly host?: string }): Promise<string>
  /** Takes no more requests, waits for those under way (`drainMs` at most), and ends. The store is closed. */
  close(): Promise<void>
}

/**
 * Makes a gateway over a store and a fleet. It parses, asks the scheduler, dispatches, judges, reports and answers, and has no policy
 * of its own. @throws OstlerError INVALID_OPTIONS, INVALID_AGENT, with every problem by its path
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const resolved = resolveGatewayOptions(options)
  const { store, tiers, clock, agents, drainMs } = resolved
  const scheduler = new Scheduler({ ...resolved.scheduler, store, tiers, clock })
  if (agents.length > 0) await scheduler.agents.upsert(agents)
  else await refreshedAgents(scheduler)
  const house = houseOf(resolved, scheduler)
  const app = await appOf(house)
  return {
    app,
    scheduler,
    listen: ({ port, host = '127.0.0.1' }) => app.listen({ port, host }),
    async close() {
      house.workshop.close()
      const socketsClosed = house.sockets.close()
      const untilMs = Date.now() + drainMs
      while (house.workshop.size > 0 && Date.now() < untilMs) await setTimeout(POLL_MS)
      house.workshop.abort()
      await socketsClosed
      // A connection on which nothing was asked yet counts as busy to Node, and would keep its server open for a minute.
      const rest = globalThis.setTimeout(() => app.server.closeAllConnections(), LAST_ANSWERS_MS)
      await app.close()
      clearTimeout(rest)
      house.dispatcher.close()
      await scheduler.close()
    },
  }
}

function houseOf(options: ResolvedGatewayOptions, scheduler: Scheduler<Mode>): House {
  const {
    store,
    clock,
    rules,
    maxInFlight,
    maxResponseBytes,
    allowTargets,
    resolveAt,
    targetContext,
  } = options
  const { scope } = options.scheduler
  const nowMs = (): number => clock.nowMs()
  const workshop = new Workshop(maxInFlight)
  const counters = new Counters(scope === undefined ? {} : { scope })
  const metrics = new Metrics({
    agents: () => scheduler.agents.size,
    inFlight: () => workshop.size,
    degraded: () => scheduler.standing().degraded,
  })
  return {
    options,
    store,
    scheduler,
    admission: new Admission(options, scheduler),
    operations: new Operations(store, nowMs, options.maxKeptBytes),
    guard: createGuard({ allow: allowTargets }),
    dispatcher: createDispatcher({
      resolveAt,
      ...(targetContext !== null && { targetContext }),
    }),
    counters,
    metrics,
    tally: new Tally(metrics, counters, nowMs),
    rules,
    maxResponseBytes,
    workshop,
    sockets: new Sockets(options.sockets),
    turns: new Turns(),
    nowMs,
  }
}

async function appOf(house: House): Promise<Routes> {
  const { turns } = house
  const app = fastify(serverOptions(house.options, turns)).withTypeProvider<TypeBoxTypeProvider>()
  turns.watch(app.server)
  app.setValidatorCompiler(validatorOf())
  // Bodies are JSON: what says that it is something else is refused as such.
  app.removeContentTypeParser('text/plain')
  answerErrors(app)
  app.addHook('onRequest', async (request, reply) => {
    reply.header(HEADERS.requestId, request.id)
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    const { method } = request
    house.metrics.requests.inc({ route, method, status: String(reply.statusCode) })
    house.metrics.seconds.observe({ route }, reply.elapsedTime / 1000)
  })
  answerBareRequests(app, turns)
  house.admission.install(app)
  await documentRoutes(app)
  app.after(() => {
    operationRoutes(app, house)
    usageRoutes(app, house)
    networkRoutes(app, house)
    debugRoutes(app, house)
    fetchRoutes(app, house)
    socketRoutes(app, house)
    amqpRoutes(app, house)
  })
  await app.ready()
  app.server.maxConnections = house.options.maxConnections
  return app
}

function serverOptions(options: ResolvedGatewayOptions, turns: Turns): FastifyHttpOptions<Server> {
  const { log, logTo, maxRequestBytes, trustProxy } = options
  return {
    bodyLimit: maxRequestBytes,
    requestTimeout: RECEIVE_WITHIN_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      maxHeaderSize: MOST_HEADER_BYTES,
      headersTimeout: RECEIVE_WITHIN_MS,
      connectionsCheckingInterval: LOOK_EVERY_MS,
      // Else it answers with a bare status.
      requireHostHeader: false,
    },
    forceCloseConnections: 'idle',
    genReqId: newRequestId,
    requestIdHeader: false,
    // Domains and agents' ids, percent-encoded as they may be.
    routerOptions: { maxParamLength: MOST_PARAM_CHARACTERS },
    trustProxy: trustProxy.length === 0 ? false : [...trustProxy],
    frameworkErrors: (error, request, reply) => answerFrameworkError(error, request, reply),
    // Else it answers in a form of its own.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => answerClientError(error, socket, turns),
    logController: new RequestLog(),
    logger: log === false ? false : loggerOf(log, logTo),
  }
}
