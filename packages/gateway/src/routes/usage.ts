import { Type } from 'typebox'
import type { House, Routes } from '../house.ts'
import type { ApiKey } from '../keys/key.ts'
import { errorAnswers } from './error-answers.ts'

const UsageAnswer = Type.Object({
  key: Type.Object({ id: Type.String(), tier: Type.String() }),
  sinceMs: Type.Integer({ description: 'What follows is counted in this process since then' }),
  total: Type.Integer(),
  ok: Type.Integer(),
  blocked: Type.Integer(),
  failed: Type.Integer(),
  successShare: Type.Union([Type.Number(), Type.Null()], { description: 'ok of all, 0 to 1' }),
  byProtocol: Type.Object({ http: Type.Integer(), ws: Type.Integer(), amqp: Type.Integer() }),
  topDomains: Type.Array(Type.Object({ name: Type.String(), count: Type.Integer() })),
  limits: Type.Array(
    Type.Object({
      policy: Type.String(),
      limit: Type.Integer(),
      used: Type.Integer(),
      remaining: Type.Integer(),
      resetAtMs: Type.Integer(),
    }),
    { description: 'In every process: each policy of the tier, and permits' },
  ),
})

/** `GET /usage`: what the asking key has done, and what it may still do. */
export function usageRoutes(app: Routes, { scheduler, counters, nowMs }: House): void {
  app.get(
    '/usage',
    {
      config: { access: { scope: 'usage' } },
      schema: {
        summary: 'What this key has used',
        response: { 200: UsageAnswer, ...errorAnswers },
      },
    },
    async (request) => {
      const { id, tier } = request.apiKey as ApiKey
      const limits = await scheduler.usage(id, tier)
      return { key: { id, tier }, ...counters.of(id, nowMs()), limits: [...limits] }
    },
  )
}
