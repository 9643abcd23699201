import { randomBytes } from 'node:crypto'
import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { SCOPES, type Scope } from '@ostler/api'
import { OstlerError, shown } from '@ostler/core'
import { hashKey, newKey, type ApiKey, type KeyRing, type StoredKey } from './key.ts'
import { keyRing } from './ring.ts'

const VERSION = 1
const MOST_KEYS = 100_000
const MOST_LABEL = 100
const LEAST_SECRET = 16
const KINDS = ['live', 'test'] as const
const TIER = /^[A-Za-z0-9._:-]{1,64}$/
const HASH = /^[0-9a-f]{64}$/
/** How long two commands that change one file wait for each other, in steps of 20 ms. */
const LOCK_TRIES = 100
const LOCK_STEP_MS = 20

/** Where keys are kept: a JSON file for its owner's eyes, and beside it the secret that their hashes depend on. */
export interface KeyFileOptions {
  /** The file, which is made with its first key. */
  readonly path: string
  /** The hashes' secret, 16 characters or more. Default: the content of `<path>.secret`, which is made with the first key. */
  readonly secret?: string
}

/** What a new key is to be. */
export interface NewKeyOptions {
  /** `ak_live_...` or `ak_test_...`: a mark for its holder, the gateway treats both alike. */
  readonly kind: 'live' | 'test'
  /** Whose limits it has: the name of one of the gateway's tiers. */
  readonly tier: string
  /** What it may do. */
  readonly scopes: readonly Scope[]
  /** What its owner calls it, in 100 characters at most. */
  readonly label?: string
  /** When it is made, in ms since 1970. */
  readonly nowMs: number
}

/** The keys of a file. Commands change it, gateways read it, and see a change on the next request. */
export class KeyFile implements KeyRing {
  readonly #path: string
  /** Null until it is needed: who only looks writes nothing. */
  #secret: string | null
  #ring: KeyRing = keyRing([], '')
  #read = ''

  /** @throws OstlerError INVALID_OPTIONS where the secret or the file is not as it must be */
  constructor(options: KeyFileOptions) {
    checkPath(options.path)
    if (options.secret !== undefined) checkSecret(options.secret)
    this.#path = options.path
    this.#secret = options.secret ?? null
    this.#refresh()
  }

  find(presented: string): ApiKey | null {
    this.#refresh()
    return this.#ring.find(presented)
  }

  /** All keys, revoked ones too, oldest first; without their hashes. */
  list(): readonly ApiKey[] {
    return readKeys(this.#path).map(({ hash: _hash, ...key }) => key)
  }

  /**
   * Makes a key and keeps its hash. `key` is what its holder presents: it cannot be had again.
   * @throws OstlerError INVALID_OPTIONS where an option is not as it must be, STORE_FULL beyond 100,000 keys; then nothing is kept
   */
  create(options: NewKeyOptions): { readonly key: string; readonly kept: ApiKey } {
    const { kind, tier, scopes, label, nowMs } = options
    checkKind(kind)
    checkTier(tier)
    checkScopes(scopes)
    if (label !== undefined) checkLabel(label)
    checkNow(nowMs)
    const key = newKey(kind)
    const kept: ApiKey = {
      id: `key_${randomBytes(6).toString('hex')}`,
      tier,
      scopes,
      ...(label !== undefined && { label }),
      createdAtMs: nowMs,
    }
    this.#change((keys) => {
      if (keys.length >= MOST_KEYS) {
        throw new OstlerError('STORE_FULL', `a file holds at most ${MOST_KEYS} keys`)
      }
      return [...keys, { ...kept, hash: hashKey(key, this.#theSecret()) }]
    })
    return { key, kept }
  }

  /**
   * Revokes a key by its id, for good, at `nowMs` (ms since 1970); false where there is none, or it was revoked before.
   * @throws OstlerError INVALID_OPTIONS where `nowMs` is no instant: without one the file would keep the key valid
   */
  revoke(id: string, nowMs: number): boolean {
    checkNow(nowMs)
    let revoked = false
    this.#change((keys) =>
      keys.map((key) => {
        if (key.id !== id || key.revokedAtMs !== undefined) return key
        revoked = true
        return { ...key, revokedAtMs: nowMs }
      }),
    )
    return revoked
  }

  /** Reads the file where it has changed since: to ask for its date costs microseconds. */
  #refresh(): void {
    const stat = statSync(this.#path, { bigint: true, throwIfNoEntry: false })
    const state = stat === undefined ? 'none' : `${stat.ino}/${stat.size}/${stat.mtimeNs}`
    if (state === this.#read) return
    const keys = readKeys(this.#path)
    this.#ring = keys.length === 0 ? keyRing([], '') : keyRing(keys, this.#theSecret())
    this.#read = state
  }

  #theSecret(): string {
    this.#secret ??= secretBeside(this.#path)
    return this.#secret
  }

  #change(change: (keys: readonly StoredKey[]) => readonly StoredKey[]): void {
    const lock = `${this.#path}.lock`
    takeLock(lock)
    try {
      const text = JSON.stringify({ version: VERSION, keys: change(readKeys(this.#path)) }, null, 2)
      const next = `${this.#path}.${process.pid}.new`
      writeFileSync(next, `${text}\n`, { mode: 0o600 })
      // Readers see the old file or the new one, never half of it.
      renameSync(next, this.#path)
    } finally {
      rmSync(lock, { force: true })
    }
  }
}

function takeLock(path: string): void {
  for (let i = 0; i < LOCK_TRIES; i++) {
    try {
      closeSync(openSync(path, 'wx', 0o600))
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_STEP_MS)
  }
  const message = `${path} is there: another command is changing the keys, or one was ended amid; then remove it`
  throw new OstlerError('INVALID_OPTIONS', message)
}

function secretBeside(path: string): string {
  const beside = `${path}.secret`
  try {
    writeFileSync(beside, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const secret = readFileSync(beside, 'utf8').trim()
  checkSecret(secret)
  return secret
}

function readKeys(path: string): readonly StoredKey[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const file = parsed(text, path)
  return file.map((key, i) => checkedKey(key, `${path}: keys[${i}]`))
}

function parsed(text: string, path: string): readonly unknown[] {
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch (error) {
    throw new OstlerError('INVALID_OPTIONS', `${path} is no JSON`, { cause: error })
  }
  const { version, keys } = (file ?? {}) as { readonly version?: unknown; readonly keys?: unknown }
  if (version !== VERSION || !Array.isArray(keys)) {
    const message = `${path} must be { version: ${VERSION}, keys: [...] }, got version ${shown(version)}`
    throw new OstlerError('INVALID_OPTIONS', message)
  }
  return keys
}

function checkedKey(value: unknown, where: string): StoredKey {
  const key = value as StoredKey | null
  const isSound =
    typeof key === 'object' &&
    key !== null &&
    typeof key.id === 'string' &&
    typeof key.hash === 'string' &&
    HASH.test(key.hash) &&
    Array.isArray(key.scopes) &&
    Number.isSafeInteger(key.createdAtMs)
  if (!isSound) {
    throw new OstlerError(
      'INVALID_OPTIONS',
      `${where} must have id, hash, tier, scopes, createdAtMs`,
    )
  }
  checkTier(key.tier)
  checkScopes(key.scopes)
  return key
}

function checkPath(path: unknown): void {
  if (typeof path === 'string' && path !== '') return
  throw new OstlerError('INVALID_OPTIONS', `path must name a file, got ${shown(path)}`)
}

/** The message never has the secret in it. */
function checkSecret(secret: unknown): void {
  if (typeof secret === 'string' && secret.length >= LEAST_SECRET) return
  const message = `the secret of keys must have ${LEAST_SECRET} characters or more`
  throw new OstlerError('INVALID_OPTIONS', message)
}

function checkKind(kind: unknown): void {
  if (KINDS.includes(kind as 'live')) return
  throw new OstlerError('INVALID_OPTIONS', `kind must be ${KINDS.join(' or ')}, got ${shown(kind)}`)
}

function checkNow(nowMs: unknown): void {
  if (Number.isSafeInteger(nowMs) && (nowMs as number) >= 0) return
  const message = `nowMs must be a whole number of ms since 1970, got ${shown(nowMs)}`
  throw new OstlerError('INVALID_OPTIONS', message)
}

function checkTier(tier: unknown): void {
  if (typeof tier === 'string' && TIER.test(tier)) return
  const message = `tier must be 1 to 64 characters of A-Z a-z 0-9 . _ : -, got ${shown(tier)}`
  throw new OstlerError('INVALID_OPTIONS', message)
}

function checkScopes(scopes: unknown): void {
  if (!Array.isArray(scopes)) {
    throw new OstlerError('INVALID_OPTIONS', `scopes must be a list, got ${shown(scopes)}`)
  }
  for (const scope of scopes) {
    if (SCOPES.includes(scope as Scope)) continue
    const message = `scopes must be of ${SCOPES.join(', ')}; got ${shown(scope)}`
    throw new OstlerError('INVALID_OPTIONS', message)
  }
}

function checkLabel(label: string): void {
  if (label.length <= MOST_LABEL && !/\p{Cc}/u.test(label)) return
  const message = `label must have at most ${MOST_LABEL} characters and no control characters, got ${shown(label)}`
  throw new OstlerError('INVALID_OPTIONS', message)
}
