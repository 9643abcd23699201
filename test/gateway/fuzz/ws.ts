import { checkedCode, readAnswers, shownBytes } from './answers.ts'
import { converse, type Step } from './exchange.ts'
import { acceptOf, checkedTalk, OPCODES, readFrames } from './frames.ts'
import { wsCase, type WsCase } from './ws-cases.ts'
import type { World } from './world.ts'

/** Sends the case of this number, and checks all that comes back. Gives what was answered. @throws Error */
export async function fuzzWs(
  seed: number,
  index: number,
  world: World,
): Promise<readonly string[]> {
  const drawn = wsCase(seed, index, world)
  try {
    return await checked(drawn, world)
  } catch (error) {
    const sent = [drawn.handshake, ...drawn.frames].map((bytes) => shownBytes(bytes, 1_000))
    const how = `${drawn.leaving}, ${drawn.isEarly ? 'early' : 'in turn'}`
    throw new Error(
      `case ${index}: ${(error as Error).message}\nsent (${how}):\n${sent.join('\n')}`,
      { cause: error },
    )
  }
}

async function checked(drawn: WsCase, { port }: World): Promise<readonly string[]> {
  const { handshake, key, frames, isEarly, isAsked, leaving } = drawn
  const isSound = key !== null
  const opened: Step = { writes: [handshake], isServed: isOpened, mustBeServed: isSound }
  const said: Step = { writes: frames, isServed: isOver, mustBeServed: false }
  const steps = isEarly
    ? [{ ...said, writes: [handshake, ...frames] }]
    : [
        opened,
        { writes: frames.slice(0, 1), isServed: isTold, mustBeServed: isSound && isAsked },
        { ...said, writes: frames.slice(1) },
      ]
  const { received, isBroken } = await converse(
    port,
    leaving === 'served' ? steps : steps.slice(0, 2),
    leaving,
  )
  try {
    const { answers, begun, rest } = readAnswers(received, handshake.includes('HEAD'))
    const codes = answers.map(
      (answer) => checkedCode(answer, handshake.includes('HEAD')) ?? `${answer.status}`,
    )
    if (begun?.status !== 101) {
      if (isSound && leaving === 'served' && !isBroken)
        throw new Error('a sound handshake was refused')
      return codes
    }
    if (isSound && begun.headers.get('sec-websocket-accept') !== acceptOf(key)) {
      throw new Error('the server has not read the key')
    }
    return [...codes, '101', ...checkedTalk(readFrames(rest))]
  } catch (error) {
    throw new Error(`${(error as Error).message}\nreceived: ${shownBytes(received, 1_500)}`, {
      cause: error,
    })
  }
}

/** Whether the handshake is answered. */
function isOpened(received: Buffer): boolean {
  return received.includes('\r\n\r\n')
}

/** Whether the first message is answered. */
function isTold(received: Buffer): boolean {
  const { answers, begun, rest } = readAnswers(received, true)
  if (begun?.status !== 101) return answers.length > 0
  return readFrames(rest).some(({ opcode }) => opcode === OPCODES.text || opcode === OPCODES.close)
}

/** Whether the server has said its last word. */
function isOver(received: Buffer): boolean {
  const { begun, rest } = readAnswers(received, true)
  return begun?.status === 101 && readFrames(rest).at(-1)?.opcode === OPCODES.close
}
