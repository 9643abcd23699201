import { APIAbortError, APITimeoutError, connectionError } from '../errors/connection-error.ts'
import type { OstlerError } from '../errors/ostler-error.ts'
import type { Runtime } from '../runtime.ts'
import { retryWaitMs } from './retry.ts'

/** How long a call goes on. */
export interface Patience {
  /** Attempts after the first, at most. */
  readonly maxRetries: number
  /** A longer wait is not begun: the error says how long it would be. */
  readonly maxRetryDelayMs: number
  /** For one attempt, up to the last byte of its answer. */
  readonly timeoutMs: number
  /** For all attempts and the waits between them. */
  readonly totalTimeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** How far a logical call has come. It may be of several requests, which share its retries and its time. */
export interface Course {
  readonly patience: Patience
  readonly endMs: number
  retries: number
}

export function begin(patience: Patience, runtime: Runtime): Course {
  return { patience, endMs: runtime.nowMs() + patience.totalTimeoutMs, retries: 0 }
}

export interface Attempts<T> {
  readonly course: Course
  readonly runtime: Runtime
  /** Ends when the signal says so, or is left behind. */
  attempt(signal: AbortSignal): Promise<T>
  /** Whether what may have been done can be asked for again. */
  readonly isRepeatable: boolean
  /** Whether an agent is waited for, where there is none now. */
  readonly waitsForAgent: boolean
  /** Told before each wait. */
  onRetry(error: OstlerError, waitMs: number, retry: number): void
}

/**
 * One logical call: attempts until one succeeds, and what failed is worth another one (see {@link retryWaitMs}). The caller's signal
 * ends it in every phase, at once. @throws OstlerError, that of the last attempt
 */
export async function persist<T>(attempts: Attempts<T>): Promise<T> {
  const { course, runtime, isRepeatable, waitsForAgent } = attempts
  const { patience, endMs } = course
  const { maxRetries, maxRetryDelayMs, timeoutMs, signal } = patience
  const rules = { maxRetryDelayMs, isRepeatable, waitsForAgent, random: () => runtime.random() }
  for (;;) {
    const leftMs = endMs - runtime.nowMs()
    // A timer may ring late: then there is no time left to ask in.
    if (leftMs <= 0) throw new APITimeoutError('there was no answer', patience.totalTimeoutMs)
    let error: OstlerError
    try {
      return await attempted(attempts, Math.min(timeoutMs, leftMs))
    } catch (thrown) {
      error = connectionError(thrown)
    }
    const { retries } = course
    const waitMs = retries < maxRetries ? retryWaitMs(error, retries, rules) : null
    // Who would wait beyond the end of the call is told now.
    if (waitMs === null || runtime.nowMs() + waitMs >= endMs) throw error
    attempts.onRetry(error, waitMs, ++course.retries)
    await pause(waitMs, signal, runtime)
  }
}

/** One attempt, which ends with its time or with the caller's patience, whatever its `fetch` does about that. */
function attempted<T>({ attempt, course, runtime }: Attempts<T>, timeoutMs: number): Promise<T> {
  const controller = new AbortController()
  return new Promise((resolve, reject) => {
    const giveUp = (error: OstlerError): void => {
      reject(error)
      controller.abort(error)
    }
    const silence = alarm(timeoutMs, course.patience.signal, runtime, giveUp, () =>
      giveUp(new APITimeoutError('there was no answer', timeoutMs)),
    )
    if (controller.signal.aborted) return
    attempt(controller.signal).then(resolve, reject).finally(silence)
  })
}

function pause(ms: number, signal: AbortSignal | undefined, runtime: Runtime): Promise<void> {
  return new Promise((resolve, reject) => {
    alarm(ms, signal, runtime, reject, resolve)
  })
}

/** Rings once: when the time is over, or when the caller gives up. What it gives silences it, and leaves no timer and no listener. */
function alarm(
  ms: number,
  signal: AbortSignal | undefined,
  runtime: Runtime,
  onAbort: (error: APIAbortError) => void,
  onTime: () => void,
): () => void {
  if (signal?.aborted === true) {
    onAbort(new APIAbortError(signal.reason))
    return () => undefined
  }
  const silence = (): void => {
    cancel()
    signal?.removeEventListener('abort', aborted)
  }
  const aborted = (): void => {
    silence()
    onAbort(new APIAbortError(signal?.reason))
  }
  const cancel = runtime.after(ms, () => {
    silence()
    onTime()
  })
  signal?.addEventListener('abort', aborted, { once: true })
  return silence
}
