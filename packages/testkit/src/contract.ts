import { agentCases } from './contract/agents.ts'
import { dispatchCases } from './contract/dispatch.ts'
import { exclusionCases } from './contract/exclusions.ts'
import { idempotencyCases } from './contract/idempotency.ts'
import { lifeCases } from './contract/life.ts'
import { limitCases } from './contract/limits.ts'
import { operationCases } from './contract/operations.ts'
import { permitCases } from './contract/permits.ts'
import type { ContractCase, ContractRunner, OpenedStore, SharedCase } from './contract/runner.ts'
import { sharedCases } from './contract/shared.ts'

export interface ContractOptions {
  /** Cases that a store cannot meet, by name, each with the reason. */
  readonly skip?: Readonly<Record<string, string>>
  /** Why there can be no second connection: skips all cases that need one. */
  readonly oneConnection?: string
}

const cases: readonly ContractCase[] = [
  ...limitCases,
  ...operationCases,
  ...permitCases,
  ...dispatchCases,
  ...exclusionCases,
  ...agentCases,
  ...idempotencyCases,
  ...lifeCases,
]

/** The name of every case, for skips. */
export const contractCaseNames: readonly string[] = [...cases, ...sharedCases].map(
  ({ name }) => name,
)

/**
 * Registers the conformance suite of {@link Store}: one case per sentence of the contract, each on a fresh store from `open`.
 * Works with any runner that has `describe` and `it`, and for synchronous and asynchronous stores.
 * A skipped case is listed with its reason. @throws RangeError for a skip that names no case.
 */
export function storeContract(
  runner: ContractRunner,
  open: () => Promise<OpenedStore>,
  options: ContractOptions = {},
): void {
  const skip = new Map(Object.entries(options.skip ?? {}))
  for (const name of skip.keys()) {
    if (!contractCaseNames.includes(name)) throw new RangeError(`skip names no case: ${name}`)
  }
  const register = (
    name: string,
    run: (opened: OpenedStore) => Promise<void>,
    reason: string | undefined = skip.get(name),
  ) => {
    if (reason !== undefined) runner.it(`${name} (skipped: ${reason})`, async () => {})
    else runner.it(name, () => onFresh(open, run))
  }
  runner.describe('store contract', () => {
    for (const { name, run } of cases) register(name, ({ store }) => run(store))
    for (const { name, run } of sharedCases) {
      register(name, (opened) => onTwo(opened, run), skip.get(name) ?? options.oneConnection)
    }
  })
}

async function onFresh(
  open: () => Promise<OpenedStore>,
  run: (opened: OpenedStore) => Promise<void>,
): Promise<void> {
  const opened = await open()
  try {
    await run(opened)
  } finally {
    await opened.close()
  }
}

async function onTwo({ store, second }: OpenedStore, run: SharedCase['run']): Promise<void> {
  if (second === undefined) throw new Error('open offers no second(): say why in oneConnection')
  await run(store, await second())
}
