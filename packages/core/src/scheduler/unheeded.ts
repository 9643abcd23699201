/** Asks a store for what may fail: this process goes on as it is. */
export function unheeded(ask: () => unknown): void {
  try {
    const answer = ask()
    if (answer instanceof Promise) void answer.catch(() => {})
  } catch {
    // Such as a store that has no room.
  }
}
