/**
 * Goes on with a value that may be a promise: the one place where synchronous and asynchronous stores part.
 * (Not named `then`: a module that exports that is taken for a promise.) A synchronous store's values pass straight through, without a turn of the event loop.
 */
export function andThen<T, U>(
  value: T | Promise<T>,
  next: (value: T) => U | Promise<U>,
): U | Promise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
