import { checkedCode, readAnswers, shownBytes, type HttpAnswer } from './answers.ts'
import { converse } from './exchange.ts'
import { httpCase, type HttpCase } from './http-cases.ts'
import type { World } from './world.ts'

/** Sends the case of this number, and checks all that comes back. Gives the codes of what was answered. @throws Error */
export async function fuzzHttp(seed: number, index: number, world: World): Promise<string[]> {
  const drawn = httpCase(seed, index, world)
  try {
    return await checked(drawn, world)
  } catch (error) {
    const sent = drawn.writes.map((bytes) => shownBytes(bytes, 1_500)).join('\n')
    throw new Error(
      `case ${index}: ${(error as Error).message}\nsent (${drawn.leaving}, ${drawn.whole} whole):\n${sent}`,
      { cause: error },
    )
  }
}

async function checked(drawn: HttpCase, { port }: World): Promise<string[]> {
  const { mayBeHead, whole, leaving } = drawn
  const { received, isBroken } = await converse(
    port,
    [
      {
        writes: drawn.writes,
        isServed: (bytes) => isAnswered(bytes, Math.max(1, whole), mayBeHead),
        mustBeServed: whole > 0,
      },
    ],
    leaving,
  )
  try {
    const { answers, begun } = readAnswers(received, mayBeHead)
    if (leaving === 'served' && whole > 0 && !isBroken && !isAnswered(received, whole, mayBeHead)) {
      throw new Error(`${answers.length} of ${whole} requests were answered`)
    }
    if (begun !== null && begun.status >= 400 && leaving === 'served' && !isBroken) {
      throw new Error('an error was told by half')
    }
    return answers.map((answer) => checkedCode(answer, mayBeHead) ?? `${answer.status}`)
  } catch (error) {
    throw new Error(`${(error as Error).message}\nreceived: ${shownBytes(received, 1_500)}`, {
      cause: error,
    })
  }
}

/** Whether so many answers are there, or the last that there will be. */
function isAnswered(received: Buffer, count: number, mayBeHead: boolean): boolean {
  const { answers, begun } = readAnswers(received, mayBeHead)
  return answers.length >= count || answers.some(isLast) || (begun !== null && isEndless(begun))
}

function isLast({ headers }: Pick<HttpAnswer, 'headers'>): boolean {
  return headers.get('connection') === 'close'
}

/** Streams, and what is no HTTP any more. */
function isEndless({ status, headers }: Pick<HttpAnswer, 'status' | 'headers'>): boolean {
  return status === 101 || headers.get('content-type')?.startsWith('text/event-stream') === true
}
