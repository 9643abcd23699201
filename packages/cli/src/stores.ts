import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { memoryStore, type Mode, type Store } from '@ostler/core'
import type * as Redis from '@ostler/store-redis'
import type * as Sqlite from '@ostler/store-sqlite'
import { CliFailure, EXIT, usage } from './failure.ts'
import { removeNames } from './redis-names.ts'

/** A store as the command line names it. `name` is what may be shown: it has no credentials. */
export type StoreTarget =
  | { readonly kind: 'memory'; readonly name: string }
  | { readonly kind: 'sqlite'; readonly name: string; readonly path: string }
  | {
      readonly kind: 'redis'
      readonly name: string
      readonly url: string
      readonly prefix?: string
      /** What a call may take before it is decided without the server, in ms. */
      readonly budgetMs?: number
    }

/** How options describe themselves. */
export const STORE_FORMS = 'memory, sqlite:FILE or redis://host:port'

const FORMS =
  'memory, sqlite:FILE, redis://[user:password@]host[:port][/db][?prefix=name&budgetMs=50] ' +
  'or the same with rediss://'
const DEFAULT_PORT = '6379'

/**
 * Reads `--store`. Not for commander's parsers: their messages repeat the argument, credentials
 * and all. @throws CliFailure USAGE, which names the forms
 */
export function parseStore(text: string): StoreTarget {
  if (text === 'memory') return { kind: 'memory', name: 'memory' }
  const file = /^sqlite:(?!\/\/(?!\/))(.+)$/s.exec(text)
  if (file !== null) return { kind: 'sqlite', name: text, path: file[1] }
  const target = /^rediss?:/.test(text) && URL.canParse(text) ? redisOf(new URL(text)) : null
  if (target !== null) return target
  throw usage(`--store must be ${FORMS}, got ${JSON.stringify(masked(text))}`)
}

function redisOf(url: URL): StoreTarget | null {
  const { protocol, hostname, port, pathname, searchParams } = url
  if (hostname === '' || !/^(\/\d*)?$/.test(pathname)) return null
  const prefix = searchParams.get('prefix')
  const budget = searchParams.get('budgetMs')
  if (budget !== null && !/^\d{1,9}$/.test(budget)) return null
  searchParams.delete('prefix')
  searchParams.delete('budgetMs')
  const name = `${protocol}//${hostname}:${port || DEFAULT_PORT}${pathname.replace(/^\/$/, '')}`
  return {
    kind: 'redis',
    name: prefix === null ? name : `${name}?prefix=${prefix}`,
    url: url.href,
    ...(prefix !== null && { prefix }),
    ...(budget !== null && { budgetMs: Number(budget) }),
  }
}

/** An argument that is no url of ours: neither what is before its last `@` is shown, nor its query. */
function masked(text: string): string {
  return text.replace(/^([^:]*:\/*)?.*@/s, '$1***@').replace(/\?.*$/s, '?***')
}

/** A message without the credentials of the urls in it, which a query may hold as well. */
export function withoutCredentials(message: string): string {
  return message.replace(/(:\/*)\S*@/g, '$1***@').replace(/(\?\S*?password=)[^&\s]*/gi, '$1***')
}

/** A store in use, and how to end that. */
export interface OpenedStore {
  readonly store: Store
  /** Closes it. */
  end(): Promise<void>
}

/** Opens a store to look at what it holds now. A file must be there. */
export async function openStore(target: StoreTarget): Promise<OpenedStore> {
  switch (target.kind) {
    case 'memory':
      return opened(memoryStore())
    case 'sqlite': {
      const { sqliteStore } = await sqlitePackage()
      const size = sizeOf(target.path)
      if (size === null) throw usage(`cannot open ${target.name}: there is no such file`)
      if (size === 0) throw usage(`cannot open ${target.name}: the file is empty`)
      return opened(sqliteStore({ path: target.path, time: 'caller' }))
    }
    case 'redis': {
      const { redisStore } = await redisPackage()
      return opened(redisStore({ ...redisOptions(target), subscribe: false }))
    }
    default:
      return target satisfies never
  }
}

/** Opens a store to serve from: by its own clock, and a file that is not there is made. */
export async function openServingStore(target: StoreTarget): Promise<OpenedStore> {
  switch (target.kind) {
    case 'memory':
      return opened(memoryStore())
    case 'sqlite':
      return opened((await sqlitePackage()).sqliteStore({ path: target.path }))
    case 'redis': {
      const { redisStore } = await redisPackage()
      return opened(redisStore(redisOptions(target)))
    }
    default:
      return target satisfies never
  }
}

function redisOptions({
  url,
  prefix,
  budgetMs,
}: Extract<StoreTarget, { kind: 'redis' }>): Redis.RedisStoreOptions {
  return {
    url,
    ...(prefix !== undefined && { prefix }),
    ...(budgetMs !== undefined && { budgetMs }),
  }
}

/**
 * Opens an empty store that decides at the instants that it is given, for a run in virtual time. In
 * Redis it has names of its own, which its end removes; a file must be new or empty, and stays.
 */
export async function openEmptyStore(target: StoreTarget): Promise<OpenedStore> {
  switch (target.kind) {
    case 'memory':
      return opened(memoryStore())
    case 'sqlite': {
      const { sqliteStore } = await sqlitePackage()
      if ((sizeOf(target.path) ?? 0) > 0) {
        throw usage(
          `${target.name} holds something: a run in virtual time takes a new or empty file`,
        )
      }
      return opened(sqliteStore({ path: target.path, time: 'caller', durability: 'batched' }))
    }
    case 'redis':
      return openInRedis(target.url, `ostler-run-${randomBytes(8).toString('hex')}`, target.name)
    default:
      return target satisfies never
  }
}

async function openInRedis(url: string, prefix: string, name: string): Promise<OpenedStore> {
  const { redisStore } = await redisPackage()
  await pinged(redisStore({ url, prefix, subscribe: false }))
  const budgetMs = RUN_BUDGET_MS
  const store = redisStore({ url, prefix, time: 'caller', budgetMs, subscribe: false })
  const end = async (): Promise<void> => {
    await store.close()
    try {
      await removeNames(url, prefix)
    } catch (error) {
      const message = `names that begin with ${prefix}: are left in ${name}`
      throw new CliFailure(EXIT.failure, 'NOT_REMOVED', message, error)
    }
  }
  return { store, end }
}

/** Fails soon where there is no server: a store of a long budget waits as long for one. */
async function pinged(store: Redis.RedisStore): Promise<void> {
  try {
    await store.ping()
  } finally {
    await store.close()
  }
}

/** Virtual time waits: nothing is gained by giving up early. */
const RUN_BUDGET_MS = 60_000

function opened(store: Store<Mode>): OpenedStore {
  return { store, end: async () => store.close() }
}

function sizeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.size ?? null
}

/** Loaded when a store of its kind is named: most command lines need neither. */
export async function sqlitePackage(): Promise<typeof Sqlite> {
  return loaded('@ostler/store-sqlite', () => import('@ostler/store-sqlite'))
}

export async function redisPackage(): Promise<typeof Redis> {
  return loaded('@ostler/store-redis', () => import('@ostler/store-redis'))
}

async function loaded<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    const { code, message: told } = error as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND') throw error
    // It may be the package, or what that needs in turn.
    const missing = /^Cannot find package '([^']+)'/.exec(told)?.[1] ?? name
    const message = `this store needs the package ${missing}, which is not here`
    const remedy = `npm install ${missing}`
    throw new CliFailure(EXIT.failure, 'MISSING_PACKAGE', `${message}: ${remedy}`, error)
  }
}
