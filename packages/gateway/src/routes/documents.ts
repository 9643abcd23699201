import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { Routes } from '../house.ts'
import { RATE_LIMIT_DRAFT } from '../http/rate-headers.ts'

/** `GET /openapi.json`, made from the schemas that requests are checked by, and `GET /docs`, which shows it. */
export async function documentRoutes(app: Routes): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Ostler gateway',
        version: '1',
        description:
          'Fetches targets through the right agent. Every answer has X-Request-Id; those that are counted have X-RateLimit-Limit, ' +
          `X-RateLimit-Remaining and X-RateLimit-Reset, and RateLimit and RateLimit-Policy as in ${RATE_LIMIT_DRAFT}.`,
      },
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer' },
          header: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        },
      },
      security: [{ key: [] }, { header: [] }],
    },
  })
  await app.register(async (docs) => {
    // A page of many files is one visit: none of them is counted.
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'open' }
    })
    await docs.register(swaggerUi, { routePrefix: '/docs' })
  })
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
}
