/** Live memory in bytes, typed arrays included. Needs --expose-gc. */
export function liveBytes(): number {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc')
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
