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
export { startDemo, type Demo } from './demo/demo.ts'
