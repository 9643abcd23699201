import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERRORS } from '@ostler/api'
import { expect, test } from 'vitest'
import { startRig } from './rig/gateway.ts'

const committed = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../packages/gateway/openapi.json'), 'utf8'),
)

test('the committed document is what the gateway serves', async () => {
  const rig = await startRig()
  const { status, json } = await rig.ask('/openapi.json', { key: null })
  expect(status).toBe(200)
  expect(json).toEqual(committed)
})

test('it is OpenAPI 3.1, and names every route', () => {
  expect(committed.openapi).toMatch(/^3\.1\./)
  const routes = Object.entries<object>(committed.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(routes).toEqual(
    expect.arrayContaining([
      'GET /fetch',
      'POST /fetch',
      'GET /usage',
      'GET /network/health/{domain}',
      'GET /network/agents',
      'PUT /network/agents/{id}',
      'DELETE /network/agents/{id}',
      'GET /debug/pick',
      'GET /healthz',
      'GET /readyz',
      'GET /metrics',
    ]),
  )
})

test('every route that may fail says how: by a code of the registry, or as a problem', () => {
  for (const [path, methods] of Object.entries<Record<string, never>>(committed.paths)) {
    for (const [method, { responses }] of Object.entries<{ responses: never }>(methods)) {
      if (['/healthz', '/readyz'].includes(path)) continue
      const { content } = responses['4XX'] as { content: Record<string, { schema: never }> }
      expect(Object.keys(content), `${method} ${path}`).toEqual([
        'application/json',
        'application/problem+json',
      ])
      const { error } = (content['application/json'].schema as { properties: never }).properties
      const { code } = (error as { properties: Record<string, { enum: string[] }> }).properties
      expect(code.enum).toEqual(Object.keys(ERRORS))
    }
  }
})

test('the document is shown as a page, whose files are not counted', async () => {
  const rig = await startRig()
  for (let i = 0; i < 15; i++) {
    const page = await rig.ask('/docs', { key: null })
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toContain('text/html')
  }
})
