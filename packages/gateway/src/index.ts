export { createGateway, type Gateway } from './gateway.ts'
export { DEFAULT_TIERS, UNAUTHENTICATED, type GatewayOptions } from './options.ts'
export {
  hashKey,
  isKeyForm,
  newKey,
  type ApiKey,
  type KeyRing,
  type StoredKey,
} from './keys/key.ts'
export { keyRing } from './keys/ring.ts'
export { KeyFile, type KeyFileOptions, type NewKeyOptions } from './keys/file.ts'
export type { SocketOptions } from './ws/options.ts'
export { startDemo, type Demo } from './demo/demo.ts'
export {
  createDispatcher,
  type Dispatcher,
  type DispatchAnswer,
  type DispatcherOptions,
  type DispatchRequest,
} from './agents/dispatch.ts'
export { readEndpoint, type Endpoint } from './agents/endpoint.ts'
export {
  AbortFailure,
  AgentFailure,
  DispatchFailure,
  RequestFailure,
  TargetFailure,
  TimeoutFailure,
} from './agents/failure.ts'
export { openTunnel, type TunnelOptions, type TunnelTarget } from './agents/tunnel.ts'
export { refusedRange } from './target/address.ts'
export { TargetError, type TargetErrorCode } from './target/error.ts'
export { createGuard, type CheckedTarget, type Guard, type GuardOptions } from './target/guard.ts'
export { dnsResolver, type DnsOptions, type ResolveHost } from './target/resolve.ts'
export type { TargetScheme, TargetUrl } from './target/url.ts'
