import { channel, type Channel } from 'node:diagnostics_channel'

export type EventName = 'pick' | 'report' | 'transition' | 'admit' | 'degraded'

/**
 * What can be listened to, by `node:diagnostics_channel`: free while nobody does.
 * Messages are plain objects, made only for a listener; they hold no agent's url.
 */
export const events: Readonly<Record<EventName, Channel>> = {
  /** `{ request, result }` of every pick. */
  pick: channel('ostler:pick'),
  /** `{ lease, outcome, settled }` of every report. */
  report: channel('ostler:report'),
  /** `{ domain, exit, record }` of every pair that a report or an operator changed. */
  transition: channel('ostler:transition'),
  /** Every decision of `admit`. */
  admit: channel('ostler:admit'),
  /** `{ reason }` when a store cannot be asked. */
  degraded: channel('ostler:degraded'),
}
