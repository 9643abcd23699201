/**
 * Why a promise is not reached: written by hand, from experiments, by how the names of its tables begin; the longest that fits counts.
 * A reason for what is reached is not shown.
 */
export const reasons: Readonly<Record<string, string>> = {
  'admit, 1 key':
    'an exact log is read and written in some 33 ns, and an answer of twelve fields costs 26 by itself; a counter that answers a boolean does neither',
  'admit, 10,000 Zipf keys':
    'finding the key takes 48 ns, as much as the whole floor, and reading and writing its log 50; it is not memory, for 64 keys cost nearly the same',
  'admit, 1,000,000 fresh strings':
    'hashing (28 to 35 ns) and two reads that depend on each other are 565 ns of a bare table, which is all that is promised; the order of recency is 90 more',
  'admit, own clock':
    'as with 10,000 Zipf keys: what is beyond floor and clock is the exact log and the answer',
  'admit by key handle':
    '25 ns in a loop over one key; over 10,000 the handle, its slot, its log and two neighbours in order of recency are five lines of memory to the one of the floor',
  'pick and report, 1,000,000 agents':
    'two random rows and the object and id of the agent that is given take 900 ns by themselves (4 KiB pages), and a report reads them again',
  'pick and report':
    'in loops of their own: checks 100 ns, walk 164, distance 100, leases in store and scheduler 400, report 209; in place more, and no part is above 9 %',
  'pick, against others':
    'where much is healthy a search ends at its first find; it balances nothing, takes no slot, and needs no report',
  '1,000,000 exclusions over 10,000 domains':
    'a read that depends on another takes 208 to 220 ns in 60 MB, so the bound is six of them; over 1,000 domains a report takes 3.0 us, which is work',
  'the longest stall':
    'the first portion runs before it is compiled (31 to 36 ms), later ones of 1,000 moves take 5.1 at the median: some thirty dependent reads an agent; growth meets collections',
  'index of 1,000,000 agents':
    'copying the agents is 0.2 to 0.3 s and collecting 0.4; the rest is some thirty reads an agent that miss',
  'admit on Redis, 1 in flight':
    'of a lone call the script is 8 us and the client 9 dearer than the peer, whose script only counts',
  'admit on Redis':
    'an exact log that is read, decided, written and given its end costs the server 3.2 us at the least in one script, ours 4.5, the counter of the peer 2.1',
  'pick on Redis':
    "of the server's time a pick is 20 us in a batch and 36 alone: the key of its lease 5.4, the domain's order, count and reply 5.5, arguments 3.2, the agent's slot 2.5",
  'SQLite, sync':
    'BEGIN IMMEDIATE and COMMIT around the upsert are 1.11 times by themselves; the rest is 2 us of JavaScript and bindings',
  'SQLite, batched':
    'a batch ends at 256 rows, so that none stalls its caller for long, and begins with cold caches; a row is six objects to the one line of memory',
}

/** How the reason for a table's promises is filed, or null where there is none. */
export function reasonFor(table: string): string | null {
  const fitting = Object.keys(reasons).filter((start) => table.startsWith(start))
  return fitting.sort((a, b) => b.length - a.length)[0] ?? null
}
