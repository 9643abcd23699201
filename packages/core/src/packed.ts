// For stores of this workspace that keep hit logs in memory as the memory store does: not for applications, and not stable.
export { HitLogs, isEmpty, newestMs } from './limit/hits.ts'
export { Slots } from './limit/slots.ts'
export * as layout from './limit/layout.ts'
