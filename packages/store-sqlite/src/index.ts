export type { Store } from '@ostler/core'
