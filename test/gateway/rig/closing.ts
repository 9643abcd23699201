import { afterEach } from 'vitest'

const toClose: (() => unknown)[] = []

/** Closes something after the test: what was opened last comes first. */
export function closing(close: () => unknown): void {
  toClose.push(close)
}

afterEach(async () => {
  for (let close = toClose.pop(); close !== undefined; close = toClose.pop()) await close()
})
