import { expect, test } from 'vitest'
import { startAgents } from './rig/agents.ts'
import { makeKey, startRig } from './rig/gateway.ts'
import { redirect } from './rig/targets.ts'
import { serve } from './rig/sockets.ts'

/** What must be read nowhere but where it belongs. */
const PLANTED = {
  inQuery: 'planted-query-4711',
  inHeader: 'planted-header-4711',
  inCookie: 'planted-cookie-4711',
  inBody: 'planted-body-4711',
  inLocation: 'planted-location-4711',
  ofAgent: 'planted-agent-4711',
  ofSession: 'planted-session-4711',
} as const

test('no secret is in the log, in errors, in metrics or in what is told of agents', async () => {
  const lines: string[] = []
  const login = { username: 'runner', password: PLANTED.ofAgent }
  const agents = await startAgents(2, login)
  const refusing = await startAgents(1, login)
  const garbage = await serve((socket) => socket.end('this is no HTTP\r\n\r\n'))
  const wrong = refusing[0].url?.replace(PLANTED.ofAgent, `${PLANTED.ofAgent}-wrong`) ?? ''
  const dead = `http://runner:${PLANTED.ofAgent}@127.0.0.1:9`
  const rig = await startRig({
    agents: [
      ...agents,
      { id: 'wrong', country: 'PT', url: wrong },
      { id: 'dead', country: 'NO', url: dead },
    ],
    log: 'trace',
    logTo: { write: (line) => void lines.push(line) },
    paths: { '/away': redirect(302, `http://10.0.0.1/?token=${PLANTED.inLocation}`) },
  })
  const unknown = makeKey().key
  const told: string[] = []
  const query = `?token=${PLANTED.inQuery}`
  const body = {
    headers: { authorization: `Bearer ${PLANTED.inHeader}`, cookie: `id=${PLANTED.inCookie}` },
    session: PLANTED.ofSession,
  }
  const paths = ['/', '/blocked', '/limited', '/broken', '/nowhere', '/hang', '/away', '/drip']
  for (const path of paths) {
    for (const more of [
      {},
      { geo: 'PT' },
      { geo: 'NO' },
      { attempts: 3 },
      { redirect: 'follow' },
    ]) {
      const answer = await rig.fetch(`${path}${query}`, { timeout: 0.2, ...body, ...more })
      if (answer.status !== 200) told.push(answer.text)
    }
  }
  const hidden = { url: `http://127.0.0.1:${garbage.port}/${query}`, timeout: 0.5, ...body }
  const post = { method: 'POST', body: PLANTED.inBody }
  const headers = { cookie: `id=${PLANTED.inCookie}`, 'idempotency-key': 'one' }
  for (const answer of [
    await rig.ask('/fetch', { body: { ...hidden, ...post }, headers }),
    await rig.ask('/fetch', { body: { url: `http://a:${PLANTED.inHeader}@shop.example/` } }),
    await rig.ask('/fetch', { body: { url: `http://10.0.0.1/${query}` } }),
    await rig.ask('/fetch', { body: { url: `ftp://x/${query}` } }),
    await rig.ask(`/fetch?url=http://10.0.0.1/${encodeURIComponent(query)}`),
    await rig.ask(`/nowhere${query}`, { headers }),
    await rig.ask('/usage', { key: unknown }),
    await rig.ask('/usage', { key: `${rig.key}x` }),
    await rig.ask('/usage', { key: null, headers: { 'x-api-key': unknown } }),
    await rig.ask('/network/agents'),
    await rig.ask('/network/agents/dead', { method: 'PUT', body: { url: `${dead}/path` } }),
    await rig.ask(`/debug/pick?url=http://shop.example/${query}`),
    await rig.ask('/network/health/127.0.0.1'),
    await rig.ask('/usage'),
    await rig.ask('/metrics'),
    await rig.ask('/docs'),
    await rig.ask('/openapi.json'),
    await rig.ask('/healthz'),
  ]) {
    told.push(answer.text)
  }
  await rig.gateway.close()
  // A line for each request, with what it was answered.
  const completed = lines.filter((line) => line.includes('"request completed"'))
  expect(completed.length).toBeGreaterThan(50)
  const last = JSON.parse(completed.at(-1) ?? '') as Record<string, unknown>
  expect(last).toMatchObject({ req: { method: 'GET', path: '/healthz' }, res: { statusCode: 200 } })
  expect(lines.filter((line) => line.includes('"failed"')).length).toBeGreaterThan(10)
  expect(told.filter((text) => text.includes('"error"')).length).toBeGreaterThan(20)
  const secrets = [...Object.values(PLANTED), rig.key, unknown]
  secrets.push(Buffer.from(`runner:${PLANTED.ofAgent}`).toString('base64'))
  for (const secret of secrets) {
    expect(
      lines.filter((line) => line.includes(secret)),
      `the log has ${secret}`,
    ).toEqual([])
    expect(
      told.filter((text) => text.includes(secret)),
      `an answer has ${secret}`,
    ).toEqual([])
  }
})

test('headers that who embeds the gateway logs are redacted', async () => {
  const lines: string[] = []
  const rig = await startRig({ log: 'info', logTo: { write: (line) => void lines.push(line) } })
  const headers = {
    authorization: `Bearer ${PLANTED.inHeader}`,
    'x-api-key': PLANTED.inHeader,
    cookie: PLANTED.inCookie,
    'set-cookie': PLANTED.inCookie,
    accept: 'text/html',
  }
  rig.gateway.app.log.info({ headers, seen: { headers } }, 'planted')
  const [line = ''] = lines.filter((one) => one.includes('"planted"'))
  expect(line).toContain('text/html')
  for (const secret of [PLANTED.inHeader, PLANTED.inCookie]) expect(line).not.toContain(secret)
})
