import type { Outcome } from '@ostler/core'
import type { Fetched } from './run.ts'
import type { FetchAnswer } from './schema.ts'
import { heldBody } from './text.ts'

/** Outcomes that keep the agent from this domain for a while. */
const TURNED_AWAY: readonly string[] = ['rate_limited', 'challenged', 'blocked']

/** Whether the target turned the agent away, so that the next request goes to another one. */
export function isBlocked({ kind }: Pick<Outcome, 'kind'>): boolean {
  return TURNED_AWAY.includes(kind)
}

/** What the caller is given: the target's answer, whole, and how it was had. */
export function fetchAnswer(
  fetched: Fetched,
  asked: { readonly requestId: string; readonly timingMs: number },
): FetchAnswer {
  const { answer, classification, picked, attempts } = fetched
  const { outcome, vendor, evidence } = classification
  const blocked = isBlocked(outcome)
  const type = answer.headers['content-type']
  return {
    meta: {
      status: answer.status,
      blocked,
      outcome: outcome.kind,
      ...(vendor !== undefined && { vendor }),
      ...(blocked && { evidence }),
      agent: { id: picked.agent.id, country: picked.agent.country ?? null },
      attempts,
      ...(fetched.url !== null && { url: fetched.url }),
      distanceKm: picked.distanceKm,
      timingMs: asked.timingMs,
      requestId: asked.requestId,
      ...(picked.degraded && { degraded: true }),
      ...(answer.truncated && { truncated: true }),
    },
    headers: answer.headers as FetchAnswer['headers'],
    ...heldBody(answer.body, typeof type === 'string' ? type : type?.[0]),
  }
}
