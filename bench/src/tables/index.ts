import type { Table } from '../case.ts'

/** Every room of tables, loaded only when it is asked for: a process measures one, and pays for no other. */
const rooms: Readonly<Record<string, () => Promise<readonly Table[]>>> = {
  hot: async () => (await import('./hot.ts')).hotTables,
  admit: async () => (await import('./admit.ts')).admitTables,
  'key-handle': async () => (await import('./key-handle.ts')).keyHandleTables,
  pick: async () => (await import('./pick.ts')).pickTables,
  'pick-peers': async () => (await import('./pick-peers.ts')).pickPeerTables,
  health: async () => (await import('./health.ts')).healthTables,
  memory: async () => (await import('./memory.ts')).memoryTables,
  fairness: async () => (await import('./fairness.ts')).fairnessTables,
  exclusions: async () => (await import('./exclusions.ts')).exclusionTables,
  stalls: async () => (await import('./stalls.ts')).stallTables,
  million: async () => (await import('./million.ts')).millionTables,
  'redis-admit': async () => (await import('./redis-admit.ts')).redisAdmitTables,
  'redis-pick': async () => (await import('./redis-pick.ts')).redisPickTables,
  sqlite: async () => (await import('./sqlite.ts')).sqliteTables,
  'why-limits': async () => (await import('./why-limits.ts')).whyLimitTables,
  'why-picks': async () => (await import('./why-picks.ts')).whyPickTables,
  'why-exclusions': async () => (await import('./why-exclusions.ts')).whyExclusionTables,
  'why-stalls': async () => (await import('./why-stalls.ts')).whyStallTables,
  'why-stores': async () => (await import('./why-stores.ts')).whyStoreTables,
  gateway: async () => (await import('./gateway.ts')).gatewayTables,
  'event-loop': async () => (await import('./event-loop.ts')).eventLoopTables,
}

export interface NamedTable {
  readonly room: string
  readonly table: Table
}

export async function allTables(): Promise<readonly NamedTable[]> {
  const found: NamedTable[] = []
  for (const room of Object.keys(rooms)) {
    for (const table of await rooms[room]()) found.push({ room, table })
  }
  return found
}

/** @throws Error where no table has that name. */
export async function tableOf(room: string, name: string): Promise<Table> {
  const table = (await rooms[room]?.())?.find((each) => each.name === name)
  if (table === undefined) throw new Error(`no table of ${room} is named ${name}`)
  return table
}
