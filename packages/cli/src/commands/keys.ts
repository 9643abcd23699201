import { SCOPES, type Scope } from '@ostler/api'
import type * as Gateway from '@ostler/gateway'
import type { Command } from 'commander'
import { usage } from '../failure.ts'
import type { Io } from '../io.ts'

interface FileOption {
  readonly file: string
}

interface CreateOptions extends FileOption {
  readonly tier: string
  readonly scopes: string
  readonly label?: string
  readonly test?: true
}

/** Where keys are, unless somebody says otherwise. */
export const DEFAULT_KEYS = 'ostler-keys.json'

/** `ostler keys`: the API keys of a gateway. Gateways that read the file see a change on their next request. */
export function keysCommand(ostler: Command, io: Io): void {
  const keys = ostler.command('keys').description("a gateway's API keys: create, list, revoke")
  keys
    .command('create')
    .description('make a key; it is shown once, and only its hash is kept')
    .option('--file <file>', 'where keys are kept', DEFAULT_KEYS)
    .option('--tier <name>', 'the limits that it has', 'free')
    .option(
      '--scopes <list>',
      `what it may do: ${SCOPES.join(',')}`,
      'fetch,ws,amqp,usage,network,debug',
    )
    .option('--label <text>', 'what its owner calls it')
    .option('--test', 'ak_test_... instead of ak_live_...')
    .action(async (options: CreateOptions) => {
      const { key, kept } = open(options, io, await gatewayPackage()).create({
        kind: options.test === true ? 'test' : 'live',
        tier: options.tier,
        scopes: scopesOf(options.scopes),
        ...(options.label !== undefined && { label: options.label }),
        nowMs: io.nowMs(),
      })
      io.err(`${kept.id}, tier ${kept.tier}. Keep it: it cannot be shown again.\n`)
      io.out(`${key}\n`)
    })
  keys
    .command('list')
    .description('list the keys, without what their holders present')
    .option('--file <file>', 'where keys are kept', DEFAULT_KEYS)
    .option('--json', 'print JSON')
    .action(async (options: FileOption & { readonly json?: true }) => {
      const listed = open(options, io, await gatewayPackage()).list()
      if (options.json) return io.out(`${JSON.stringify(listed, null, 2)}\n`)
      if (listed.length === 0) io.err(`no keys in ${options.file}\n`)
      for (const { id, tier, scopes, label, createdAtMs, revokedAtMs } of listed) {
        const made = new Date(createdAtMs).toISOString().slice(0, 10)
        const state = revokedAtMs === undefined ? 'valid' : 'revoked'
        io.out(`${[id, tier, state, made, scopes.join(','), label ?? ''].join('  ').trimEnd()}\n`)
      }
    })
  keys
    .command('revoke')
    .description('revoke a key for good: its next request is refused')
    .argument('<id>', 'key_..., as list shows it')
    .option('--file <file>', 'where keys are kept', DEFAULT_KEYS)
    .action(async (id: string, options: FileOption) => {
      if (open(options, io, await gatewayPackage()).revoke(id, io.nowMs()))
        io.out(`${id} is revoked\n`)
      else throw usage(`there is no valid key ${JSON.stringify(id)} in ${options.file}`)
    })
}

export type GatewayPackage = typeof Gateway

/** Loaded when it is needed: it brings a web server, which most command lines do without. */
export function gatewayPackage(): Promise<GatewayPackage> {
  return import('@ostler/gateway')
}

/** The keys of a file; the secret of their hashes by the environment, else beside it. */
export function open({ file }: FileOption, io: Io, { KeyFile }: GatewayPackage): Gateway.KeyFile {
  const secret = io.env['OSTLER_KEYS_SECRET']
  return new KeyFile({ path: file, ...(secret !== undefined && { secret }) })
}

function scopesOf(text: string): readonly Scope[] {
  return text
    .split(',')
    .map((scope) => scope.trim())
    .filter((scope) => scope !== '') as Scope[]
}
