import { channel, type Channel } from 'node:diagnostics_channel'

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
