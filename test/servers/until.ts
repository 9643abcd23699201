import { setTimeout as sleep } from 'node:timers/promises'

/** Polls until the condition holds, because a real process says in no other way that it is there. @throws Error past the bound. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  boundMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + boundMs
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`waited ${boundMs} ms in vain until ${what}`)
    await sleep(10)
  }
}
