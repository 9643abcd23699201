/** So many bytes of a table are told to the garbage collector. */
const TOLD_BYTES = 1 << 18

/**
 * Zeroed memory for one more chunk of a table that lives as long as its owner, and holds `chunks` of them already.
 *
 * The engine counts what typed arrays take, and after each 64 MB of it marks the whole heap, in steps of 5 ms and more whenever a further array
 * is made: right for arrays that come and go, and in vain for tables that only grow. Shared memory is not counted, and read as fast.
 * The first chunks are, so that a process that makes and drops many small tables is collected in time.
 */
export function roomFor(bytes: number, chunks: number): ArrayBufferLike {
  if (chunks * bytes < TOLD_BYTES || typeof SharedArrayBuffer === 'undefined') {
    return new ArrayBuffer(bytes)
  }
  return new SharedArrayBuffer(bytes)
}
