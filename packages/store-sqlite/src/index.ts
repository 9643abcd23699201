export { inspect, type Inspection } from './inspect.ts'
export type { SqliteStoreOptions } from './options.ts'
export { sqliteStore } from './sqlite.ts'
