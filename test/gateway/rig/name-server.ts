import { createSocket } from 'node:dgram'
import { afterEach } from 'vitest'

/** What a name server says of a host: addresses by kind, or an RCODE of RFC 1035. */
export interface Zone {
  readonly [host: string]: {
    readonly a?: readonly string[]
    readonly aaaa?: string
    readonly code?: number
    /** How long the answer holds, in s. Default 60. */
    readonly ttl?: number
  }
}

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A name server on loopback, as `address:port`. Of hosts that are not in the zone it says nothing; what it was asked goes into `asked`. */
export async function serveNames(zone: Zone, asked: string[] = []): Promise<string> {
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => {
    const { host, type, end } = readQuestion(query)
    asked.push(host)
    const entry = zone[host]
    if (entry === undefined) return
    const { a = [], aaaa, code = 0, ttl = 60 } = entry
    const records =
      type === 1 ? a.map(ipv4Bytes) : type === 28 && aaaa !== undefined ? [ipv6Bytes(aaaa)] : []
    const head = Buffer.from(query.subarray(0, 12))
    head.writeUInt16BE(0x8180 | code, 2)
    head.writeUInt16BE(records.length, 6)
    head.writeUInt32BE(0, 8)
    const answers = records.map((data) => {
      const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length])
      record.writeUInt32BE(ttl, 6)
      return Buffer.concat([record, data])
    })
    socket.send(Buffer.concat([head, query.subarray(12, end), ...answers]), port, address)
  })
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve)
  })
  closing.push(() => socket.close())
  return `127.0.0.1:${socket.address().port}`
}

function readQuestion(query: Buffer): { host: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  while (query[at] !== 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]))
    at += 1 + query[at]
  }
  return { host: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number))
}

/** Of eight groups, written out. */
function ipv6Bytes(address: string): Buffer {
  return Buffer.from(
    address
      .split(':')
      .map((group) => group.padStart(4, '0'))
      .join(''),
    'hex',
  )
}
