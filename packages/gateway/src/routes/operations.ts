import type { FastifyReply, FastifyRequest } from 'fastify'
import ipaddr from 'ipaddr.js'
import { Type } from 'typebox'
import { checkScope, keyOf } from '../http/auth.ts'
import type { House, Routes } from '../house.ts'
import { errorAnswers } from './error-answers.ts'

/** What those who run a gateway ask: `/healthz` (is the process alive?), `/readyz` (should it get requests?), `/metrics`. */
export function operationRoutes(app: Routes, house: House): void {
  const { scheduler, workshop, metrics, options, admission } = house
  app.get(
    '/healthz',
    {
      config: { access: 'open' },
      schema: {
        summary: 'Alive',
        security: [],
        response: { 200: Type.Object({ status: Type.Literal('ok') }) },
      },
    },
    () => ({ status: 'ok' }) as const,
  )
  app.get(
    '/readyz',
    {
      config: { access: 'open' },
      schema: {
        summary: 'Ready for requests',
        security: [],
        response: {
          200: Ready,
          503: Ready,
        },
      },
    },
    (_request, reply) => {
      const { degraded } = scheduler.standing()
      const ready = !workshop.isClosing
      reply.code(ready ? 200 : 503)
      return { ready, agents: scheduler.agents.size, degraded }
    },
  )
  app.get(
    '/metrics',
    {
      config: { access: 'open' },
      schema: {
        summary: 'For Prometheus: from this machine, or with a key of the scope admin',
        response: {
          200: {
            description: "Prometheus' text format",
            content: { 'text/plain': { schema: Type.String() } },
          },
          ...errorAnswers,
        },
      },
    },
    async (request, reply) => {
      if (!isLoopback(request.ip)) await checkAdmin(request, reply)
      const { registry } = metrics
      return reply.type(registry.contentType).send(await registry.metrics())
    },
  )

  /** Who is refused is counted, as everywhere: keys are not to be guessed. */
  async function checkAdmin(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      checkScope(keyOf(request, options.keys), 'admin')
    } catch (error) {
      await admission.countAddress(request, reply)
      throw error
    }
  }
}

const Ready = Type.Object({
  ready: Type.Boolean(),
  agents: Type.Integer(),
  degraded: Type.Boolean({ description: 'The store is out of reach: decided in this process' }),
})

function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback'
}
