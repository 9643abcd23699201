import { connect, type Socket } from 'node:net'
import { serve, type Listening } from './sockets.ts'

/** A connection that a SOCKS5 server was asked for. */
export interface Asked {
  readonly host: string
  readonly port: number
}

export interface SocksServer extends Listening {
  readonly asked: readonly Asked[]
}

/** A SOCKS5 server that connects (RFC 1928), with a user and password (RFC 1929) if they are given. */
export async function serveSocks(credentials?: {
  readonly username: string
  readonly password: string
}): Promise<SocksServer> {
  const asked: Asked[] = []
  const listening = await serve((socket) => {
    void talk(socket, credentials, asked).catch(() => socket.destroy())
  })
  return { ...listening, asked }
}

async function talk(
  socket: Socket,
  credentials: { readonly username: string; readonly password: string } | undefined,
  asked: Asked[],
): Promise<void> {
  const read = reader(socket)
  const [, methods] = await read(2)
  const offered = await read(methods)
  const method = credentials === undefined ? 0 : 2
  if (!offered.includes(method)) return void socket.end(Buffer.from([5, 0xff]))
  socket.write(Buffer.from([5, method]))
  if (credentials !== undefined) {
    const [, userLength] = await read(2)
    const username = (await read(userLength)).toString()
    const [passwordLength] = await read(1)
    const password = (await read(passwordLength)).toString()
    const isGood = username === credentials.username && password === credentials.password
    if (!isGood) return void socket.end(Buffer.from([1, 1]))
    socket.write(Buffer.from([1, 0]))
  }
  const [, , , kind] = await read(4)
  const host = await readHost(read, kind)
  const port = (await read(2)).readUInt16BE()
  asked.push({ host, port })
  const target = connect({ host, port })
  target.once('error', () => socket.end(answer(5)))
  target.once('connect', () => {
    socket.write(answer(0))
    socket.off('readable', read.more)
    socket.pipe(target).pipe(socket)
  })
  socket.once('close', () => target.destroy())
  target.once('close', () => socket.destroy())
}

async function readHost(read: Reader, kind: number): Promise<string> {
  if (kind === 1) return [...(await read(4))].join('.')
  if (kind === 3) return (await read((await read(1))[0])).toString()
  const bytes = await read(16)
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':')
}

/** From 0.0.0.0:0, as servers that will not say answer. */
function answer(code: number): Buffer {
  return Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0])
}

type Reader = ((length: number) => Promise<Buffer>) & { readonly more: () => void }

/** Reads so many bytes at a time, and no more than these. */
function reader(socket: Socket): Reader {
  let wanted = 0
  let resolve: (bytes: Buffer) => void = () => {}
  const more = (): void => {
    const bytes = wanted === 0 ? null : (socket.read(wanted) as Buffer | null)
    if (bytes === null) return
    wanted = 0
    resolve(bytes)
  }
  socket.on('readable', more)
  const read = async (length: number): Promise<Buffer> =>
    length === 0
      ? Buffer.alloc(0)
      : new Promise((done) => {
          wanted = length
          resolve = done
          more()
        })
  return Object.assign(read, { more })
}
