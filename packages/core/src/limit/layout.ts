/**
 * Where things stand in the limiter's typed arrays. Hot modules take these apart into constants of
 * their own (`const { META } = layout`): V8 folds a module's own constants into machine code, but
 * what is imported or exported it loads and checks at each use, which made a decision 20 ns dearer.
 */

/** log2 of a segment's slots, for all that is kept by slot. */
export const SLOT_BITS = 10
export const SLOT_MASK: number = (1 << SLOT_BITS) - 1
export const SLOT_WORDS = 11

/** Address of the log's block, where it has one. */
export const BLOCK = 0
/** Ring of the log's entries: index of the first in the upper 16 bits, how many in the lower. */
export const RING = 1
/** Cost of all entries. */
export const SUM = 2
/** The window of the last admitted call, in ms. */
export const WINDOW = 3
/**
 * Bits 0 to 3: size class of the block, 0 without one. Bit 4: entries are pairs. From bit 5 on: the
 * base of times.
 */
export const META = 4
/** Time of the newest entry, as an offset of the base. Without a block it is the only one. */
export const NEWEST = 5
/** Neighbours in the recency list; NEXT also links free slots. */
export const PREV = 6
export const NEXT = 7
/** The fingerprint of the slot's key: its hash, and 32 bits more. */
export const HASH = 8
export const CHECK = 9
/** The next slot of its bucket. */
export const CHAIN = 10

/** log2 of an arena segment's words, and of its largest block's. */
export const ARENA_BITS = 14
export const ARENA_MASK: number = (1 << ARENA_BITS) - 1
/**
 * Times are offsets of a base that is a multiple of this (19 hours), the last before the log's
 * oldest entry: 31 days (the longest window) + 16 days (the longest quantum) + 19 hours are below
 * 2^32 ms. A base number has 27 bits, enough to 2^53.
 */
export const BASE_STEP_MS: number = 2 ** 26
export const MOST_OFFSET = 4_294_967_295
/** Bits of a slot's META: entries are pairs / the block's size class. */
export const PAIRS = 16
export const CLASS = 15
