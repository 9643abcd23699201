// hot path: two ranks and two selects per pick. A bitmap whose blocks of 128 bits are counted by a Fenwick tree
// (P. Fenwick 1994), so that rank and select are exact in O(log n) whatever the share of bits set.

const BLOCK_SHIFT = 7
const WORDS_PER_BLOCK = 4

/** A set of integers from 0 on with exact rank and select; grows by doubling, 1.25 bits an integer. */
export class CountedBits {
  #words = new Uint32Array(WORDS_PER_BLOCK)
  /** 1-based Fenwick tree of the blocks' counts; its length is a power of two, plus one. */
  #tree = new Uint32Array(2)
  #count = 0

  get count(): number {
    return this.#count
  }

  has(index: number): boolean {
    const word = index >>> 5
    return word < this.#words.length && (this.#words[word] & (1 << (index & 31))) !== 0
  }

  /** Adds an integer; false where it was in already. */
  add(index: number): boolean {
    const word = index >>> 5
    if (word >= this.#words.length) this.#grow(index)
    const bit = 1 << (index & 31)
    if ((this.#words[word] & bit) !== 0) return false
    this.#words[word] |= bit
    this.#bump(index >>> BLOCK_SHIFT, 1)
    return true
  }

  /** Takes an integer out; false where it was not in. */
  delete(index: number): boolean {
    const word = index >>> 5
    const bit = 1 << (index & 31)
    if (word >= this.#words.length || (this.#words[word] & bit) === 0) return false
    this.#words[word] &= ~bit
    this.#bump(index >>> BLOCK_SHIFT, -1)
    return true
  }

  /** How many are below `index`. */
  rank(index: number): number {
    const words = this.#words
    if (index >>> 5 >= words.length) return this.#count
    const tree = this.#tree
    let sum = 0
    for (let node = index >>> BLOCK_SHIFT; node > 0; node &= node - 1) sum += tree[node]
    const last = index >>> 5
    for (let word = (index >>> BLOCK_SHIFT) * WORDS_PER_BLOCK; word < last; word++) {
      sum += popcount(words[word])
    }
    return sum + popcount(words[last] & ((1 << (index & 31)) - 1))
  }

  /** The k-th (from 0) integer in the set; k must be below `count`. */
  select(k: number): number {
    return selectDifference(this, null, k)
  }

  /** The integers from `start` to below `end`, in order. */
  *between(start: number, end: number): Generator<number> {
    const stop = Math.min(end, this.#words.length * 32)
    for (let base = start & ~31; base < stop; base += 32) {
      let word = this.#words[base >>> 5]
      if (base < start) word &= ~0 << (start & 31)
      while (word !== 0) {
        const index = base + 31 - Math.clz32(word & -word)
        if (index >= stop) return
        yield index
        word &= word - 1
      }
    }
  }

  /** Where the select below reads. */
  get words(): Uint32Array {
    return this.#words
  }
  get tree(): Uint32Array {
    return this.#tree
  }

  #bump(block: number, by: number): void {
    this.#count += by
    const tree = this.#tree
    for (let node = block + 1; node < tree.length; node += node & -node) tree[node] += by
  }

  #grow(index: number): void {
    let blocks = this.#tree.length - 1
    while (blocks <= index >>> BLOCK_SHIFT) blocks *= 2
    const words = new Uint32Array(blocks * WORDS_PER_BLOCK)
    words.set(this.#words)
    const tree = new Uint32Array(blocks + 1)
    tree.set(this.#tree)
    // A node above the old root covers the whole old tree, whose total is the count.
    for (let node = (this.#tree.length - 1) * 2; node <= blocks; node *= 2) tree[node] = this.#count
    this.#words = words
    this.#tree = tree
  }
}

/**
 * The k-th (from 0) integer that is in `all` and not in `minus`, which must be a part of `all`.
 * k must be below the difference of their counts. O(log n): one descent of both trees.
 */
export function selectDifference(all: CountedBits, minus: CountedBits | null, k: number): number {
  const tree = all.tree
  const minusTree = minus === null ? EMPTY : minus.tree
  let rest = k
  let block = 0
  // Which way a descent goes can't be foretold, and a branch that is foretold wrongly costs more than the whole step: masks in place of ifs.
  for (let step = (tree.length - 1) >>> 1; step > 0; step >>>= 1) {
    const here = tree[block + step] - coveredBy(minusTree, block, step)
    const beyond = (here - rest - 1) >> 31
    rest -= here & beyond
    block += step & beyond
  }
  const words = all.words
  const minusWords = minus === null ? EMPTY : minus.words
  const first = block * WORDS_PER_BLOCK
  const bits0 = words[first] & ~wordOf(minusWords, first)
  const bits1 = words[first + 1] & ~wordOf(minusWords, first + 1)
  const bits2 = words[first + 2] & ~wordOf(minusWords, first + 2)
  const upTo0 = popcount(bits0)
  const upTo1 = upTo0 + popcount(bits1)
  const upTo2 = upTo1 + popcount(bits2)
  if (rest < upTo1) {
    if (rest < upTo0) return first * 32 + nthBit(bits0, rest)
    return first * 32 + 32 + nthBit(bits1, rest - upTo0)
  }
  if (rest < upTo2) return first * 32 + 64 + nthBit(bits2, rest - upTo1)
  const bits3 = words[first + 3] & ~wordOf(minusWords, first + 3)
  return first * 32 + 96 + nthBit(bits3, rest - upTo2)
}

const EMPTY = new Uint32Array(0)

/** The count of the `step` blocks after `block` in a tree that may be shorter than the one being descended: its root holds its whole count. */
function coveredBy(tree: Uint32Array, block: number, step: number): number {
  const blocks = tree.length - 1
  if (block >= blocks) return 0
  return block + step <= blocks ? tree[block + step] : tree[blocks]
}

function wordOf(words: Uint32Array, word: number): number {
  return word < words.length ? words[word] : 0
}

function popcount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555)
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/** The place of the n-th (from 0) set bit of a word that has more than n: halves, by the counts that a population count goes through. */
function nthBit(word: number, n: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  const bytes = (nibbles + (nibbles >>> 4)) & 0x0f0f0f0f
  const halves = bytes + (bytes >>> 8)
  let rest = n
  let at = 0
  let beyond = ((halves & 0xff) - rest - 1) >> 31
  rest -= halves & 0xff & beyond
  at += 16 & beyond
  const inByte = (bytes >>> at) & 0xff
  beyond = (inByte - rest - 1) >> 31
  rest -= inByte & beyond
  at += 8 & beyond
  const inNibble = (nibbles >>> at) & 0xf
  beyond = (inNibble - rest - 1) >> 31
  rest -= inNibble & beyond
  at += 4 & beyond
  const inPair = (pairs >>> at) & 3
  beyond = (inPair - rest - 1) >> 31
  rest -= inPair & beyond
  at += 2 & beyond
  return at + (((word >>> at) & 1) - rest - 1 < 0 ? 1 : 0)
}
