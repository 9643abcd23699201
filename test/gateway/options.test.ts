import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { createGateway, keyRing } from '@ostler/gateway'
import { startRig } from './rig/gateway.ts'

const keys = keyRing([], '')

test('what is wrong with the options is told before anything is served, all at once', async () => {
  const rules = [{ outcome: 'banned', confidence: 2, title: 'x' }] as never
  const options = { keys, rules, resolveAt: 'moon' as never, maxConnections: 0 }
  await expect(createGateway(options)).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    problems: [
      expect.objectContaining({ path: 'maxConnections' }),
      expect.objectContaining({ path: 'rules[0].outcome' }),
      expect.objectContaining({ path: 'rules[0].confidence' }),
      expect.objectContaining({ path: 'resolveAt' }),
    ],
  })
})

test('connections are bounded: one more is closed as it comes', async () => {
  const rig = await startRig({ maxConnections: 2 })
  const port = Number(new URL(rig.url).port)
  const open = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  for (const socket of open) await once(socket, 'connect')
  const third = connect(port, '127.0.0.1').on('error', () => undefined)
  await once(third, 'close')
  open[0].write('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  expect(String(await once(open[0], 'data'))).toContain('200 OK')
  for (const socket of open) socket.destroy()
})

test('callers have a minute to say what they want', async () => {
  const { gateway } = await startRig()
  expect(gateway.app.server).toMatchObject({ requestTimeout: 60_000, headersTimeout: 60_000 })
})

test('headers of a request may have 32 KiB in all', async () => {
  const rig = await startRig()
  const statusWith = async (bytes: number): Promise<number> =>
    (await rig.ask('/healthz', { headers: { 'x-long': 'x'.repeat(bytes) } })).status
  expect(await statusWith(30_000)).toBe(200)
  expect(await statusWith(35_000)).toBe(431)
})
