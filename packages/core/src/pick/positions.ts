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
  // A shorter tree holds its whole count at its root; beyond it, every node of the longer one counts as nothing.
  for (let step = tree.length - 1; step > 0; step >>>= 1) {
    const node = block + step
    if (node >= tree.length) continue
    let here = tree[node]
    if (minusTree.length > 1) here -= coveredBy(minusTree, block, step)
    if (here <= rest) {
      rest -= here
      block = node
    }
  }
  const words = all.words
  const minusWords = minus === null ? EMPTY : minus.words
  for (let word = block * WORDS_PER_BLOCK; ; word++) {
    const bits = words[word] & (word < minusWords.length ? ~minusWords[word] : ~0)
    const here = popcount(bits)
    if (rest < here) return word * 32 + nthBit(bits, rest)
    rest -= here
  }
}

const EMPTY = new Uint32Array(0)

/** The count of the `step` blocks after `block` in a tree that may be shorter than the one being descended. */
function coveredBy(tree: Uint32Array, block: number, step: number): number {
  const blocks = tree.length - 1
  if (block >= blocks) return 0
  return block + step <= blocks ? tree[block + step] : tree[blocks]
}

function popcount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555)
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/** The place of the n-th (from 0) set bit of a word that has more than n. */
function nthBit(word: number, n: number): number {
  let bits = word
  for (let i = 0; i < n; i++) bits &= bits - 1
  return 31 - Math.clz32(bits & -bits)
}
