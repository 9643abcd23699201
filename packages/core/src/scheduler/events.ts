import { channel, type Channel } from 'node:diagnostics_channel'
import type { PickRequest, PickResult } from './requests.ts'

export type EventName = 'pick' | 'report' | 'transition' | 'admit' | 'degraded'

/**
 * What can be listened to, by `node:diagnostics_channel`: free while nobody does.
 * Messages are plain objects, made only for a listener; they hold no agent's url, and no target's credentials.
 */
export const events: Readonly<Record<EventName, Channel>> = {
  /** `{ request, result }` of every pick. */
  pick: channel('ostler:pick'),
  /** `{ lease, outcome, settled }` of every report. */
  report: channel('ostler:report'),
  /** `{ domain, exit, record }` of a pair that a report, `exclude` or `restore` changed; null: nothing is known of it any more. */
  transition: channel('ostler:transition'),
  /** Every decision of `admit`. */
  admit: channel('ostler:admit'),
  /** `{ store, degraded, sinceMs, forMs, reason }` when a store goes out of reach, and when it is back. A memory store never goes. */
  degraded: channel('ostler:degraded'),
}

const CREDENTIALS = /^([a-z]+:\/\/)[^/?#\\]*@/i

/** What listeners are told of a pick: without an agent's url, and without what a target's url says of who asks. */
export function messageOf(request: PickRequest, result: PickResult): object {
  const { url } = request
  const asked = url === undefined ? request : { ...request, url: url.replace(CREDENTIALS, '$1') }
  if (result.kind !== 'picked') return { request: asked, result }
  const { url: _, ...agent } = result.agent
  return { request: asked, result: { ...result, agent } }
}
