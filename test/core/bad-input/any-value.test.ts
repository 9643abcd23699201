import { expect, test } from 'vitest'
import type { AdmitRequest, PickRequest } from '@ostler/core'
import { bad, fingerprint, inUse } from './rig.ts'

const url = 'https://shop.example/'

/** Anything at all, in a place for something. */
const VALUES: readonly unknown[] = [
  undefined, null, true, 0, -0, NaN, -1, 0.5, 1e308, 1n, '', 'x', '\ud800', Symbol('s'),
  () => 1, {}, [], Array(3), [[]], new Date(NaN), new Map(), Object.create(null), 'x'.repeat(1e5),
] // prettier-ignore

test('no value in any field of any request is met by anything but an answer or its own error', async () => {
  const used = inUse()
  const requests: readonly (readonly [object, (request: never) => unknown])[] = [
    [{ key: 'k3', tier: 'free', cost: 1, permit: 1, opId: 'o' } satisfies Record<keyof AdmitRequest, unknown>,
      (request) => used.scheduler.peek(request)],
    [{ url, domain: 1, geo: 'DE', session: 's', avoid: [], pin: ['de1'], tags: [], seed: 1, deadlineMs: 1 } satisfies Record<keyof PickRequest, unknown>,
      (request) => used.scheduler.explain(request)],
    [{ ...used.lease, id: 'no-such' }, (lease) => used.scheduler.report(lease, { kind: 'ok' })],
    [{ kind: 'ok', evidence: 'e', retryAfterMs: 1, latencyMs: 1 },
      (outcome) => used.scheduler.report({ ...used.lease, id: 'no-such' }, outcome)],
    [{ offset: 0, limit: 1 }, (page) => used.scheduler.health('shop.example', page)],
  ] // prettier-ignore
  const before = fingerprint(used)
  for (const [request, call] of requests) {
    for (const field of Object.keys(request)) {
      for (const value of VALUES) {
        try {
          await call(bad({ ...request, [field]: value }))
        } catch (error) {
          expect(error).toMatchObject({
            name: 'OstlerError',
            code: expect.stringMatching(/^[A-Z_]+$/),
          })
        }
      }
    }
  }
  expect(fingerprint(used)).toBe(before)
})
