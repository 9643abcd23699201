/** Goes on with a value, at once; or with what a promise brings, once it does. */
export function andThen<T, U>(value: T | Promise<T>, next: (value: T) => U): U | Promise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** Walks to the end, and waits for each promise on the way. A walk without any is over at once. */
export function walkThrough(walk: Iterator<Promise<void>, void>): void | Promise<void> {
  const step = walk.next()
  if (step.done !== true) return waitThrough(step.value, walk)
}

async function waitThrough(
  first: Promise<void>,
  walk: Iterator<Promise<void>, void>,
): Promise<void> {
  await first
  for (let step = walk.next(); step.done !== true; step = walk.next()) await step.value
}
