import { DispatchFailure } from '@ostler/gateway'
import { Server } from 'proxy-chain'
import { closing } from './closing.ts'

/** A forward proxy on loopback, ended after the test. */
export interface ForwardProxy {
  readonly port: number
  /** What it was asked for, such as `CONNECT 127.0.0.1:80`. */
  readonly seen: readonly string[]
}

/** Starts a proxy that asks for a password, if one is given. */
export async function startForwardProxy(password?: string): Promise<ForwardProxy> {
  const seen: string[] = []
  const server = new Server({
    port: 0,
    host: '127.0.0.1',
    prepareRequestFunction: ({ password: given, request }) => {
      seen.push(`${request.method} ${request.url}`)
      return {
        requestAuthentication: password !== undefined && given !== password,
        upstreamProxyUrl: null,
      }
    },
  })
  await server.listen()
  closing(() => server.close(true))
  return { port: server.port, seen }
}

/** How a dispatch failed. @throws what it failed with, where that is no failure of a dispatch */
export async function failureOf(work: Promise<unknown>): Promise<DispatchFailure> {
  try {
    await work
  } catch (error) {
    if (error instanceof DispatchFailure) return error
    throw error
  }
  throw new Error('did not fail')
}
