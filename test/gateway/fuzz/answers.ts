import { ERRORS, HEADERS, PROBLEM_TYPE, type ApiErrorCode } from '@ostler/api'

/** An answer as RFC 9112 frames it. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

export interface Read {
  /** Final answers, whole ones alone. */
  readonly answers: readonly HttpAnswer[]
  /** Null, or the answer that has begun: of a stream there is a head alone. */
  readonly begun: Pick<HttpAnswer, 'status' | 'headers'> | null
  /** What is no HTTP any more: after an upgrade. */
  readonly rest: Buffer
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e]*$/
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/
const REQUEST_ID = /^req_[0-9a-f]{32}$/
/** Headers that are not to come twice, for then nobody knows which counts. */
const SINGLE: readonly string[] = ['content-length', 'transfer-encoding', 'content-type', 'date']

/**
 * Reads what a server sent, and takes nothing that RFC 9112 does not allow. `mayBeHead`: whether any request may have been a HEAD,
 * whose answer has no body, whatever it says of its length. @throws Error
 */
export function readAnswers(bytes: Buffer, mayBeHead: boolean): Read {
  const answers: HttpAnswer[] = []
  let at = 0
  while (at < bytes.length) {
    const headEnd = bytes.indexOf('\r\n\r\n', at)
    if (headEnd < 0) {
      if (!'HTTP/1.1 '.startsWith(bytes.toString('latin1', at, at + 9))) {
        throw new Error(`no answer begins like ${shownBytes(bytes.subarray(at))}`)
      }
      return { answers, begun: null, rest: Buffer.alloc(0) }
    }
    const head = readHead(bytes.toString('latin1', at, headEnd))
    at = headEnd + 4
    if (head.status === 101) return { answers, begun: head, rest: bytes.subarray(at) }
    // Word that the body may be sent.
    if (head.status < 200) continue
    const body = readBody(bytes, at, head, mayBeHead)
    if (body === null) return { answers, begun: head, rest: Buffer.alloc(0) }
    answers.push({ ...head, body: body.bytes })
    at = body.end
  }
  return { answers, begun: null, rest: Buffer.alloc(0) }
}

function readHead(text: string): Pick<HttpAnswer, 'status' | 'headers'> {
  const [first, ...lines] = text.split('\r\n')
  const [, status] = STATUS_LINE.exec(first) ?? []
  if (status === undefined) throw new Error(`no status line: ${JSON.stringify(first)}`)
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] = FIELD.exec(line) ?? []
    if (name === undefined) throw new Error(`no header: ${JSON.stringify(line)}`)
    const lower = name.toLowerCase()
    if (headers.has(lower) && SINGLE.includes(lower)) throw new Error(`${lower} comes twice`)
    headers.set(lower, value)
  }
  if (headers.has('content-length') && headers.has('transfer-encoding')) {
    throw new Error('an answer has two lengths')
  }
  return { status: Number(status), headers }
}

interface Body {
  readonly bytes: Buffer
  readonly end: number
}

/** The body of an answer, and where it ends; null where it has not. */
function readBody(
  bytes: Buffer,
  start: number,
  { status, headers }: Pick<HttpAnswer, 'status' | 'headers'>,
  mayBeHead: boolean,
): Body | null {
  const none = { bytes: Buffer.alloc(0), end: start }
  if (status === 204 || status === 304) return none
  const isLast = start === bytes.length
  const isNext = bytes.toString('latin1', start, start + 7) === 'HTTP/1.'
  if (mayBeHead && (isLast || isNext)) return none
  if (headers.get('transfer-encoding') === 'chunked') return readChunks(bytes, start)
  const length = headers.get('content-length')
  // It lasts until the connection ends, as for callers of HTTP/1.0.
  if (length === undefined && headers.get('connection') === 'close') return null
  if (length === undefined || !/^\d+$/.test(length)) throw new Error('an answer has no length')
  const end = start + Number(length)
  return end > bytes.length ? null : { bytes: bytes.subarray(start, end), end }
}

function readChunks(bytes: Buffer, start: number): Body | null {
  const chunks: Buffer[] = []
  for (let at = start; ;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const size = bytes.toString('latin1', at, lineEnd)
    if (!/^[0-9a-f]+$/i.test(size)) throw new Error(`no size of a chunk: ${JSON.stringify(size)}`)
    const from = lineEnd + 2
    const end = from + Number.parseInt(size, 16)
    if (end + 2 > bytes.length) return null
    if (bytes.toString('latin1', end, end + 2) !== '\r\n') throw new Error('a chunk has no end')
    if (end === from) return { bytes: Buffer.concat(chunks), end: end + 2 }
    chunks.push(bytes.subarray(from, end))
    at = end + 2
  }
}

/** The code of an answer that is an error, told as the registry says; null of any other. @throws Error */
export function checkedCode({ status, headers, body }: HttpAnswer, isHead: boolean): string | null {
  if (status < 400) return null
  const requestId = headers.get(HEADERS.requestId) ?? ''
  if (!REQUEST_ID.test(requestId)) throw new Error(`${status} without a request id`)
  if (isHead && body.length === 0) return null
  const type = headers.get('content-type') ?? ''
  const told = JSON.parse(body.toString()) as Told
  const isProblem = type.startsWith(PROBLEM_TYPE)
  if (!isProblem && type !== 'application/json; charset=utf-8') {
    throw new Error(`${status} of type ${type}`)
  }
  const { code, message, details } = isProblem ? { ...told, message: told.detail } : told.error
  const id = isProblem ? told.requestId : told.meta.requestId
  if (!Object.hasOwn(ERRORS, code)) throw new Error(`${code} is not in the registry`)
  if (ERRORS[code].status !== status) throw new Error(`${code} came with ${status}`)
  if (id !== requestId) throw new Error(`${code} is told of ${id}, which is ${requestId}`)
  if (message.length === 0 || typeof details !== 'object') throw new Error(`${code} says nothing`)
  return code
}

/** Either form of an error. */
interface Told {
  readonly error: ToldError
  readonly meta: { readonly requestId: string }
  readonly code: ApiErrorCode
  readonly detail: string
  readonly details: unknown
  readonly requestId: string
}

interface ToldError {
  readonly code: ApiErrorCode
  readonly message: string
  readonly details: unknown
}

/** Bytes as they may be read by people, cut where they are many. */
export function shownBytes(bytes: Buffer, most = 600): string {
  const text = JSON.stringify(bytes.toString('latin1', 0, most))
  return bytes.length > most ? `${text}... (${bytes.length} bytes)` : text
}
