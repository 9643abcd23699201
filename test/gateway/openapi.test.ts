import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERRORS } from '@ostler/api'
import { expect, test } from 'vitest'
import { validatorOf } from '../../packages/gateway/src/http/validator.ts'
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

test('it says what requests may hold, headers included', () => {
  const headersOf = (route: string): string[] =>
    committed.paths[route].post.parameters
      .filter((parameter: { in: string }) => parameter.in === 'header')
      .map(({ name }: { name: string }) => name)
  const wishes = ['x-geo', 'x-session']
  expect(headersOf('/fetch')).toEqual(['x-target-url', ...wishes, 'idempotency-key'])
  expect(headersOf('/amqp/publish')).toEqual([...wishes, 'idempotency-key'])
  expect(headersOf('/amqp/consume')).toEqual(wishes)
})

test('answers are what it says: of their type, and with nothing beside what is named', async () => {
  const rig = await startRig()
  await rig.fetch('/blocked')
  const url = encodeURIComponent(`${rig.target.url}/`)
  const body = { country: 'PT' }
  for (const [route, answer] of [
    ['get /fetch', await rig.ask(`/fetch?url=${url}`)],
    ['post /fetch', await rig.fetch('/challenged')],
    ['post /fetch', await rig.fetch('/', { timeout: 'x' })],
    ['get /usage', await rig.ask('/usage')],
    ['get /network/agents', await rig.ask('/network/agents')],
    ['put /network/agents/{id}', await rig.ask('/network/agents/x', { method: 'PUT', body })],
    ['get /network/health/{domain}', await rig.ask('/network/health/127.0.0.1')],
    ['get /debug/pick', await rig.ask(`/debug/pick?url=${url}`)],
    ['get /debug/pick', await rig.ask('/debug/pick')],
    ['get /healthz', await rig.ask('/healthz')],
    ['get /readyz', await rig.ask('/readyz')],
    ['get /metrics', await rig.ask('/metrics')],
    ['get /ws', await rig.ask('/ws')],
  ] as const) {
    const [method, path] = route.split(' ')
    const { responses } = committed.paths[path][method]
    const { content } = responses[answer.status === 200 ? 200 : '4XX']
    const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
    expect(Object.keys(content), route).toContain(type)
    const schema = closed(content[type].schema)
    const check = validatorOf()({ schema, httpPart: 'body', method, url: path })
    expect([route, check(answer.json ?? answer.text)]).toEqual([route, true])
  }
})

/** A schema that allows nothing that it does not name, unless it says that it does. */
function closed(schema: unknown): object {
  const text = JSON.stringify(schema, (_, value: { type?: unknown; properties?: unknown }) =>
    value?.type === 'object' && value.properties !== undefined
      ? { additionalProperties: false, ...value }
      : value,
  )
  return JSON.parse(text) as object
}

test('the document is shown as a page, whose files are not counted', async () => {
  const rig = await startRig()
  for (let i = 0; i < 15; i++) {
    const page = await rig.ask('/docs', { key: null })
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toContain('text/html')
  }
})
