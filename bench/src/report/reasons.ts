/**
 * Why a promise is not reached: written by hand, by how the names of its tables begin; the longest that fits counts. The figures
 * are not here but in the experiments that are named, which are measured with the rest: `npm run bench:peers -- "why: "` runs them alone.
 * A reason for what is reached is not shown.
 */
export const reasons: Readonly<Record<string, string>> = {
  'admit, 1 key':
    'an exact log is read and written, as a call by handle shows, and an answer of twelve fields is made; a counter that answers a boolean does neither: see "why: admit, 1 key"',
  'admit, 10,000 Zipf keys':
    'by handle there is no key to be found and no answer to be made, and what is left is the log; with 64 keys, which lie in the nearest cache, both cost less: see "why: admit, 64 and 10,000 keys"',
  'admit, 1,000,000 fresh strings':
    'a bare table that hashes the string and reads a bucket and a row, and decides nothing, takes a good part of what is promised; names, logs and the order of recency are other rows: see "why: admit, 1,000,000 fresh strings"',
  'admit, own clock':
    'as with 10,000 Zipf keys: what is beyond floor and clock is the exact log and the answer: see "why: admit, 64 and 10,000 keys"',
  'admit by key handle':
    'the log of 64 keys, in the nearest cache, costs more than is promised; of 10,000 the handle, its slot, its log and two neighbours in order of recency are five lines of memory to the one of the floor: see "why: admit, 64 and 10,000 keys"',
  'pick and report, 1,000,000 agents':
    'two random rows and the object and id of the agent that is given are a good part of what is promised, and a report reads them again: see "why: reads of memory"',
  'pick and report':
    'a pick, and a report of its lease, are measured apart in "why: pick and report, in parts": neither is the whole of it',
  'pick, against others':
    'where much is healthy a search ends at its first find; it balances nothing, takes no slot, and needs no report; a search for as many as an even choice takes is dearer: see "why: pick, against geokdbush". A pool of sessions that excludes nothing draws one at random',
  '1,000,000 exclusions over 10,000 domains':
    'to write what is kept of an exclusion, and decide nothing, takes a good part of the bound ("why: 1,000,000 exclusions, by writing alone"); what the rest is of work, and of memory, shows "why: exclusions over 1,000 domains"',
  'the longest stall':
    'the first calls of a kind run before they are compiled, and a portion of agents that move reads some thirty places of each: see "why: changes and index of 1,000,000 agents"; to keep strings, and do nothing else, takes what "why: the longest stall, by keeping alone" shows',
  'index of 1,000,000 agents':
    'what copying the agents and collecting take of it shows "why: changes and index of 1,000,000 agents"; the rest is some thirty reads an agent that miss',
  'admit on Redis':
    'an exact log is read, decided, written and given its end by one script, where the peers count: the time of the server and of the client, of each, shows "why: Redis, the time of the server and of the client"',
  'pick on Redis':
    'of what a pick takes, the server and the client have the shares that "why: Redis, the time of the server and of the client" shows beside a trivial EVALSHA',
  'SQLite, sync':
    'BEGIN IMMEDIATE and COMMIT around the bare upsert are a part by themselves ("why: SQLite, sync"); the rest is JavaScript and bindings',
  'SQLite, batched':
    'a batch ends at 256 rows, so that none stalls its caller for long, and begins with cold caches: of 64 keys, which are few rows, a decision is cheaper: see "why: SQLite, batched"',
}

/** How the reason for a table's promises is filed, or null where there is none. */
export function reasonFor(table: string): string | null {
  const fitting = Object.keys(reasons).filter((start) => table.startsWith(start))
  return fitting.sort((a, b) => b.length - a.length)[0] ?? null
}
