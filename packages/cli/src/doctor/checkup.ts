import { arch, platform } from 'node:os'
import type { Inspection as RedisInspection } from '@ostler/store-redis'
import type { Inspection as SqliteInspection } from '@ostler/store-sqlite'
import { failureOf } from '../failure.ts'
import { manifest } from '../manifest.ts'
import { withoutCredentials, type StoreTarget } from '../stores.ts'
import { storePackages, type PackageState, type StorePackages } from './packages.ts'
import { lookAtRedis } from './redis.ts'
import { lookAtSqlite } from './sqlite.ts'

/** What `ostler doctor` has found. `problems` says what is wrong: empty where nothing is. */
export interface Checkup {
  readonly ostler: string
  readonly node: { readonly version: string; readonly wanted: string }
  readonly platform: string
  readonly packages: readonly StorePackages[]
  readonly store: StoreCheckup | null
  readonly problems: readonly string[]
}

/** A store as it was found. The inspection is the store's own, null where it could not be had. */
export type StoreCheckup =
  | { readonly kind: 'memory'; readonly name: string }
  | {
      readonly kind: 'sqlite'
      readonly name: string
      readonly inspection: SqliteInspection | null
      /** How long the inspection took, which reads all of the file. */
      readonly tookMs: number | null
    }
  | { readonly kind: 'redis'; readonly name: string; readonly inspection: RedisInspection | null }

/** What a look at one store has come to. */
export interface Found {
  readonly store: StoreCheckup
  readonly problems: readonly string[]
}

/** Looks at this installation, and at a store if one is named. Changes nothing. */
export async function checkup(target: StoreTarget | null): Promise<Checkup> {
  const { version: ostler, engines } = manifest()
  const node = { version: process.versions.node, wanted: engines?.node ?? '' }
  const packages = await storePackages()
  const found = target === null ? null : await lookAt(target, packages)
  const problems = [
    ...nodeProblems(node),
    ...packages.flatMap(({ store, driver }) => packageProblems([store, driver], ostler)),
    ...(found?.problems ?? []),
  ]
  return {
    ostler,
    node,
    platform: `${platform()} ${arch()}`,
    packages,
    store: found?.store ?? null,
    problems: problems.map(withoutCredentials),
  }
}

/** A store cannot be looked at without its packages. */
async function lookAt(target: StoreTarget, packages: readonly StorePackages[]): Promise<Found> {
  const { kind, name } = target
  if (kind === 'memory') return { store: { kind, name }, problems: [] }
  const { store, driver } = packages.find((each) => each.kind === kind)!
  const missing = [store, driver].filter(({ version }) => version === null)
  if (missing.length > 0) {
    const names = missing.map((each) => each.name).join(' and ')
    return unseen(target, `${name} needs ${names}: npm install ${names.replace(' and ', ' ')}`)
  }
  // What does not load is told already.
  if (!store.loads || !driver.loads) return unseen(target)
  try {
    return kind === 'sqlite' ? await lookAtSqlite(target) : await lookAtRedis(target)
  } catch (error) {
    return unseen(target, failureOf(error).message)
  }
}

function unseen({ kind, name }: StoreTarget, ...problems: readonly string[]): Found {
  if (kind === 'sqlite') return { store: { kind, name, inspection: null, tookMs: null }, problems }
  if (kind === 'redis') return { store: { kind, name, inspection: null }, problems }
  return { store: { kind, name }, problems }
}

function nodeProblems({ version, wanted }: Checkup['node']): string[] {
  const least = /\d+(\.\d+)*/.exec(wanted)?.[0] ?? '0'
  if (!isOlder(version, least)) return []
  return [`Node ${version} is older than what Ostler is made for: ${wanted}`]
}

function isOlder(version: string, least: string): boolean {
  const parts = version.split('.').map(Number)
  for (const [i, part] of least.split('.').map(Number).entries()) {
    if (parts[i] !== part) return parts[i] < part
  }
  return false
}

/** What is not installed is nobody's trouble, unless a store is asked for that needs it. */
function packageProblems(states: readonly [PackageState, PackageState], ostler: string): string[] {
  const broken = states
    .filter(({ why }) => why !== null)
    .map(({ name, version, why }) => `${name} ${version} does not load: ${why}`)
  const [{ name, version }] = states
  if (version === null || version === ostler) return broken
  return [...broken, `${name} is ${version}, and Ostler is ${ostler}: install the same version`]
}
