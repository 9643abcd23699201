import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { manifest } from '../manifest.ts'

/** A package that may be missing, and whether it can be used. */
export interface PackageState {
  readonly name: string
  /** Null where it is not installed. */
  readonly version: string | null
  readonly loads: boolean
  /** Why it does not load; null where it does, or is not installed. */
  readonly why: string | null
}

/** A store's package, and the driver that it stands on. */
export interface StorePackages {
  readonly kind: 'sqlite' | 'redis'
  readonly store: PackageState
  readonly driver: PackageState
}

/** The packages of all stores. Loads each that is installed. */
export async function storePackages(): Promise<readonly StorePackages[]> {
  return Promise.all([
    packagesOf('sqlite', '@ostler/store-sqlite', 'better-sqlite3'),
    packagesOf('redis', '@ostler/store-redis', 'ioredis'),
  ])
}

async function packagesOf(
  kind: StorePackages['kind'],
  store: string,
  driver: string,
): Promise<StorePackages> {
  const path = found(() => fileURLToPath(import.meta.resolve(`${store}/package.json`)))
  if (path === null) return { kind, store: missing(store), driver: missing(driver) }
  // The driver that the store finds, which may be another one than ours.
  const require = createRequire(path)
  const driverPath = found(() => require.resolve(`${driver}/package.json`))
  return {
    kind,
    store: await stateOf(store, path, () => LOAD[kind].store()),
    driver:
      driverPath === null
        ? missing(driver)
        : await stateOf(driver, driverPath, () => LOAD[kind].driver(require, driver)),
  }
}

interface Load {
  store(): Promise<unknown>
  driver(require: NodeJS.Require, name: string): Promise<unknown>
}

const LOAD: Readonly<Record<StorePackages['kind'], Load>> = {
  sqlite: {
    store: () => import('@ostler/store-sqlite'),
    // The native part is loaded with the first connection only.
    driver: async (require, name) => {
      const Database = require(name) as new (path: string) => { close(): void }
      new Database(':memory:').close()
    },
  },
  redis: {
    store: () => import('@ostler/store-redis'),
    driver: (require, name) => import(pathToFileURL(require.resolve(name)).href),
  },
}

async function stateOf(
  name: string,
  path: string,
  load: () => Promise<unknown>,
): Promise<PackageState> {
  const { version } = manifest(path)
  try {
    await load()
    return { name, version, loads: true, why: null }
  } catch (error) {
    const [why] = (error instanceof Error ? error.message : String(error)).split('\n')
    return { name, version, loads: false, why }
  }
}

function missing(name: string): PackageState {
  return { name, version: null, loads: false, why: null }
}

function found(resolve: () => string): string | null {
  try {
    return resolve()
  } catch {
    return null
  }
}
