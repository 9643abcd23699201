/** A connection of this process, as its peers on the same file see it. */
export interface Peer {
  /** Commits the batch that is open, if one is. Never throws: what is lost is its owner's to tell. */
  yield(): void
}

const byFile = new Map<string, Set<Peer>>()

/**
 * Joins those of this process that have the same file open. A batch holds the lock until its timer runs, and a peer that waited for
 * the lock would keep that timer from running: so who wants the file first makes its peers commit. Gives all of them, as they join and
 * leave.
 */
export function joinPeers(identity: string, peer: Peer): ReadonlySet<Peer> {
  if (byFile.size === 0) process.on('exit', yieldAll)
  const peers = byFile.get(identity) ?? new Set()
  byFile.set(identity, peers.add(peer))
  return peers
}

export function leavePeers(identity: string, peer: Peer): void {
  const peers = byFile.get(identity)
  if (peers === undefined || !peers.delete(peer) || peers.size > 0) return
  byFile.delete(identity)
  if (byFile.size === 0) process.off('exit', yieldAll)
}

/** Makes all others on the file commit what they hold open. */
export function yieldPeers(peers: ReadonlySet<Peer>, self: Peer): void {
  for (const peer of peers) if (peer !== self) peer.yield()
}

/** A process that ends by itself keeps its open batches. */
function yieldAll(): void {
  for (const peers of byFile.values()) for (const peer of peers) peer.yield()
}
