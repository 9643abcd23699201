/** Time and chance as the client takes them. Tests bring their own, so that no test waits. */
export interface Runtime {
  /** Milliseconds since the epoch. */
  nowMs(): number
  /** From 0 to below 1. */
  random(): number
  /** Calls back once after so many ms, unless what it gives is called before. */
  after(ms: number, callback: () => void): () => void
}

/** The machine's own. */
export const systemRuntime: Runtime = {
  nowMs: () => Date.now(),
  random: () => Math.random(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/** A variable of the environment, where there is one and it may be read. An empty one is none, as shells have it. */
export function environment(name: string): string | undefined {
  try {
    const { process } = globalThis as {
      readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> }
    }
    return process?.env?.[name] || undefined
  } catch {
    // Deno asks for a permission.
    return undefined
  }
}

/** A name that nobody else gives: 128 random bits. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
