import type { Command } from 'commander'
import { checkup } from '../doctor/checkup.ts'
import { checkupText } from '../doctor/text.ts'
import { EXIT } from '../failure.ts'
import type { Io } from '../io.ts'
import { parseStore, STORE_FORMS } from '../stores.ts'

interface Options {
  readonly store?: string
  readonly json?: true
}

/** `ostler doctor`: is this installation, and this store, as Ostler needs them? Changes nothing. */
export function doctorCommand(ostler: Command, io: Io, setExitCode: (code: number) => void): void {
  ostler
    .command('doctor')
    .description('say what is wrong with this installation, and with a store; changes nothing')
    .option('--store <url>', `look at this store too: ${STORE_FORMS}`)
    .option('--json', 'print all that was found as JSON')
    .addHelpText('after', '\nExits with 1 when something is wrong.')
    .action(async (options: Options) => {
      const target = options.store === undefined ? null : parseStore(options.store)
      const found = await checkup(target)
      io.out(options.json ? `${JSON.stringify(found, null, 2)}\n` : checkupText(found))
      if (found.problems.length > 0) setExitCode(EXIT.failure)
    })
}
