import { createHash } from 'node:crypto'
import { TextDecoder } from 'node:util'
import { closeCodeOf, ERRORS, type SocketErrorCode } from '@ostler/api'

/** A frame as a server sends it: RFC 6455, section 5.2. */
export interface Frame {
  readonly opcode: number
  readonly data: Buffer
}

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
const KNOWN: readonly number[] = Object.values(OPCODES)
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** What the server has to prove that it has read the key. */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64')
}

/** Reads a server's frames, and takes nothing that RFC 6455 forbids; what is there in part is left. @throws Error */
export function readFrames(bytes: Buffer): readonly Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at + 2 <= bytes.length;) {
    const [first, second] = [bytes[at], bytes[at + 1]]
    const opcode = first & 0x0f
    if ((first & 0x70) !== 0) throw new Error(`a frame has reserved bits: ${first}`)
    if ((second & 0x80) !== 0) throw new Error('a frame of a server is masked')
    if (!KNOWN.includes(opcode)) throw new Error(`a frame has opcode ${opcode}`)
    const short = second & 0x7f
    if (opcode >= OPCODES.close && (short > 125 || (first & 0x80) === 0)) {
      throw new Error('a control frame is long, or in parts')
    }
    const headLength = short === 127 ? 10 : short === 126 ? 4 : 2
    if (at + headLength > bytes.length) break
    const length =
      short === 127
        ? Number(bytes.readBigUInt64BE(at + 2))
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : short
    const end = at + headLength + length
    if (end > bytes.length) break
    if (frames.at(-1)?.opcode === OPCODES.close) throw new Error('a frame comes after the close')
    frames.push({ opcode, data: bytes.subarray(at + headLength, end) })
    at = end
  }
  return frames
}

/** The gateway's first word and its last one, as they may be. Gives what they were. @throws Error */
export function checkedTalk(frames: readonly Frame[]): readonly string[] {
  const names: string[] = []
  const texts = frames.filter(({ opcode }) => opcode === OPCODES.text)
  const close = frames.find(({ opcode }) => opcode === OPCODES.close)
  if (close !== undefined) names.push(`close ${checkedClose(close)}`)
  if (texts.length === 0) return names
  const first = JSON.parse(UTF8.decode(texts[0].data)) as Told
  if (first.type === 'connected') {
    if (first.status !== 101 || first.node_id === '') throw new Error('connected to nobody')
    return [...names, 'connected']
  }
  if (first.type !== 'error') throw new Error(`the first word is ${JSON.stringify(first)}`)
  const { code, message, details } = first
  if (code !== 'CONNECT_TIMEOUT' && !Object.hasOwn(ERRORS, code))
    throw new Error(`${code} is no code`)
  if (message.length === 0 || typeof details !== 'object') throw new Error(`${code} says nothing`)
  if (texts.length > 1) throw new Error('something was said after an error')
  if (close !== undefined && close.data.readUInt16BE(0) !== closeCodeOf(code)) {
    throw new Error(`${code} came with ${close.data.readUInt16BE(0)}`)
  }
  return [...names, code]
}

interface Told {
  readonly type: string
  readonly status: number
  readonly node_id: string
  readonly code: SocketErrorCode
  readonly message: string
  readonly details: unknown
}

/** Codes that may be sent: RFC 6455, section 7.4, and those of its registry. */
function checkedClose({ data }: Frame): number | null {
  if (data.length === 0) return null
  if (data.length === 1) throw new Error('a close has half a code')
  const code = data.readUInt16BE(0)
  const isKnown =
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) ||
    (code >= 3000 && code < 5000)
  if (!isKnown) throw new Error(`a close has the code ${code}`)
  UTF8.decode(data.subarray(2))
  return code
}
