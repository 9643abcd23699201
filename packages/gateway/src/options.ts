import {
  classify,
  expectInteger,
  memoryStore,
  OstlerError,
  shown,
  systemClock,
  throwIfAny,
  unknownField,
  type Agent,
  type Clock,
  type Mode,
  type Problem,
  type SchedulerOptions,
  type Store,
  type Tier,
  type VendorRule,
} from '@ostler/core'
import type { SecureContext } from 'node:tls'
import type { KeyRing } from './keys/key.ts'
import {
  resolveSocketOptions,
  type ResolvedSocketOptions,
  type SocketOptions,
} from './ws/options.ts'

const MINUTE_MS = 60_000

/** Whom callers without a key, and those whose key is refused, are counted as; keys name one of the others. */
export const UNAUTHENTICATED = 'unauthenticated'

/** The tiers that the contract names, sliding windows all. Permits are WebSockets and streams at once: a tier without has no cap on them. */
export const DEFAULT_TIERS: Readonly<Record<string, Tier>> = Object.freeze({
  [UNAUTHENTICATED]: {
    policies: [{ name: UNAUTHENTICATED, limit: 10, windowMs: MINUTE_MS }],
    permits: 5,
  },
  free: { policies: [{ name: 'free', limit: 60, windowMs: MINUTE_MS }], permits: 5 },
  starter: { policies: [{ name: 'starter', limit: 60, windowMs: MINUTE_MS }], permits: 20 },
})

/** What a gateway is made of. Everything has a default but the keys. */
export interface GatewayOptions {
  readonly keys: KeyRing
  /** Default: in memory. It is the scheduler's from now on, and closed with the gateway. */
  readonly store?: Store<Mode>
  /** Agents to begin with; others come by the admin routes, or from the store. */
  readonly agents?: readonly Agent[]
  /** By name; merged over {@link DEFAULT_TIERS}. */
  readonly tiers?: Readonly<Record<string, Tier>>
  /** What else the scheduler is told. */
  readonly scheduler?: Omit<SchedulerOptions<Mode>, 'store' | 'tiers' | 'clock'>
  /** Rules that say what a block looks like, in place of the core's. */
  readonly rules?: readonly VendorRule[]
  /** Targets that may be fetched though their addresses are private: CIDRs or host names. Default none. */
  readonly allowTargets?: readonly string[]
  /** Whether an agent is sent to the address that was checked (default), or told the name and trusted to check it. */
  readonly resolveAt?: 'gateway' | 'agent'
  /** Whom to trust as a target. Default: Node's authorities. */
  readonly targetContext?: SecureContext
  /** What bounds WebSockets. */
  readonly sockets?: SocketOptions
  /** The longest body of a request, in bytes. Default 1 MiB: to read one stops all others for as long. */
  readonly maxRequestBytes?: number
  /** The longest body of a target's answer, decompressed, in bytes. Default 10 MiB. */
  readonly maxResponseBytes?: number
  /**
   * What is kept of answers for repeats under an `Idempotency-Key`, in bytes a day, a quarter of it at most for one key. Beyond that a
   * repeat is told that the request was done, and no more. Default 256 MiB.
   */
  readonly maxKeptBytes?: number
  /** Requests to targets under way at once; more are refused with 503. Default 10,000. */
  readonly maxInFlight?: number
  /** Connections of callers at once; more are closed as they come. Default 20,000. */
  readonly maxConnections?: number
  /** How long `close` waits for requests under way, in ms. Default 10_000. */
  readonly drainMs?: number
  /** How long the reader of a stream of events may take for what waits for him, about 1 MiB at most, in ms. Default 30_000. */
  readonly slowReaderMs?: number
  /** Proxies in front whose `X-Forwarded-For` counts: addresses or CIDRs. Default none. */
  readonly trustProxy?: readonly string[]
  /** Default: the machine's. */
  readonly clock?: Clock
  /** pino's level, or false for silence. Default 'info'. */
  readonly log?: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | false
  /** Where log lines go. Default: standard output. */
  readonly logTo?: { write(line: string): void }
}

/** Options with every default filled in. */
export interface ResolvedGatewayOptions extends Required<
  Omit<GatewayOptions, 'rules' | 'logTo' | 'targetContext' | 'sockets'>
> {
  readonly rules: readonly VendorRule[] | null
  readonly targetContext: SecureContext | null
  readonly sockets: ResolvedSocketOptions
  readonly logTo: GatewayOptions['logTo'] | null
}

const MIB = 1024 * 1024
const NAMES: Readonly<Record<keyof GatewayOptions, true>> = {
  keys: true,
  store: true,
  agents: true,
  tiers: true,
  scheduler: true,
  rules: true,
  allowTargets: true,
  resolveAt: true,
  targetContext: true,
  sockets: true,
  maxRequestBytes: true,
  maxResponseBytes: true,
  maxKeptBytes: true,
  maxInFlight: true,
  maxConnections: true,
  drainMs: true,
  slowReaderMs: true,
  trustProxy: true,
  clock: true,
  log: true,
  logTo: true,
}
const FIELDS = Object.keys(NAMES)

/** Checks options and fills in the defaults. @throws OstlerError INVALID_OPTIONS, with every problem by its path */
export function resolveGatewayOptions(options: GatewayOptions): ResolvedGatewayOptions {
  const problems: Problem[] = []
  for (const field of Object.keys(options)) {
    if (!FIELDS.includes(field)) {
      problems.push({ path: '', message: unknownField(field, 'the gateway', FIELDS) })
    }
  }
  if (typeof options.keys?.find !== 'function') {
    problems.push({ path: 'keys', message: 'must be a key ring, such as keyRing(...)' })
  }
  const resolved: ResolvedGatewayOptions = {
    keys: options.keys,
    store: options.store ?? memoryStore(),
    agents: options.agents ?? [],
    tiers: { ...DEFAULT_TIERS, ...options.tiers },
    scheduler: options.scheduler ?? {},
    rules: options.rules ?? null,
    allowTargets: options.allowTargets ?? [],
    resolveAt: options.resolveAt ?? 'gateway',
    targetContext: options.targetContext ?? null,
    sockets: resolveSocketOptions(options.sockets ?? {}, problems),
    maxRequestBytes: options.maxRequestBytes ?? MIB,
    maxResponseBytes: options.maxResponseBytes ?? 10 * MIB,
    maxKeptBytes: options.maxKeptBytes ?? 256 * MIB,
    maxInFlight: options.maxInFlight ?? 10_000,
    maxConnections: options.maxConnections ?? 20_000,
    drainMs: options.drainMs ?? 10_000,
    slowReaderMs: options.slowReaderMs ?? 30_000,
    trustProxy: options.trustProxy ?? [],
    clock: options.clock ?? systemClock,
    log: options.log ?? 'info',
    logTo: options.logTo ?? null,
  }
  checkBounds(resolved, problems)
  checkRules(resolved.rules, problems)
  const { resolveAt } = resolved
  if (resolveAt !== 'gateway' && resolveAt !== 'agent') {
    problems.push({
      path: 'resolveAt',
      message: `must be 'gateway' or 'agent', got ${shown(resolveAt)}`,
    })
  }
  throwIfAny('INVALID_OPTIONS', problems)
  return resolved
}

function checkBounds(resolved: ResolvedGatewayOptions, problems: Problem[]): void {
  const { maxRequestBytes, maxResponseBytes, maxInFlight, maxConnections } = resolved
  const { maxKeptBytes, drainMs, slowReaderMs } = resolved
  expectInteger(problems, 'maxRequestBytes', maxRequestBytes, 1024, 256 * MIB)
  expectInteger(problems, 'maxResponseBytes', maxResponseBytes, 1024, 256 * MIB)
  expectInteger(problems, 'maxKeptBytes', maxKeptBytes, 0, 1024 * 1024 * MIB)
  expectInteger(problems, 'maxInFlight', maxInFlight, 1, 1_000_000)
  expectInteger(problems, 'maxConnections', maxConnections, 1, 1_000_000)
  expectInteger(problems, 'drainMs', drainMs, 0, 600_000)
  expectInteger(problems, 'slowReaderMs', slowReaderMs, 100, 600_000)
}

/** Rules are compiled when they are first used: a bad one must not wait for the first request. */
function checkRules(rules: readonly VendorRule[] | null, problems: Problem[]): void {
  if (rules === null) return
  try {
    classify({ status: 200 }, { rules })
  } catch (error) {
    if (!(error instanceof OstlerError)) throw error
    problems.push(...error.problems)
  }
}
