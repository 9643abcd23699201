import { Type } from 'typebox'
import { ApiError } from '../http/api-error.ts'
import type { House, Routes } from '../house.ts'
import { errorAnswers } from './error-answers.ts'

const PickQuery = Type.Object({
  url: Type.Optional(Type.String({ maxLength: 8192, description: 'The target' })),
  geo: Type.Optional(Type.String({ maxLength: 256 })),
  session: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
})

/** `GET /debug/pick`: whom the next fetch would go through, and why; nothing is taken. */
export function debugRoutes(app: Routes, { scheduler, guard }: House): void {
  app.get(
    '/debug/pick',
    {
      config: { access: { scope: 'debug' } },
      schema: {
        summary: 'Which agent would be picked, and why',
        querystring: PickQuery,
        response: {
          200: Type.Object({ kind: Type.String() }, { additionalProperties: true }),
          ...errorAnswers,
        },
      },
    },
    async (request) => {
      const { url, geo, session } = request.query
      if (url === undefined || url === '') {
        throw new ApiError('MISSING_TARGET_URL', 'no target: give ?url=')
      }
      const explained = await scheduler.explain({
        url: guard.parse(url).url,
        ...(geo !== undefined && { geo }),
        ...(session !== undefined && { session }),
      })
      return withoutUrls(explained)
    },
  )
}

/** An explanation as it may be shown: an agent's own url may hold credentials. */
function withoutUrls(explained: unknown): { kind: string } {
  const text = JSON.stringify(explained, (name, value: unknown) =>
    name === 'agent' && typeof value === 'object' && value !== null
      ? { ...value, url: undefined }
      : value,
  )
  return JSON.parse(text) as { kind: string }
}
