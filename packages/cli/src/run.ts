import { Command, CommanderError } from 'commander'
import { doctorCommand } from './commands/doctor.ts'
import { importCommand } from './commands/import.ts'
import { keysCommand } from './commands/keys.ts'
import { pickCommand } from './commands/pick.ts'
import { replayCommand } from './commands/replay.ts'
import { serveCommand } from './commands/serve.ts'
import { simulateCommand } from './commands/simulate.ts'
import { startCommand } from './commands/start.ts'
import { EXIT, failureOf, toldOf } from './failure.ts'
import type { Io } from './io.ts'
import { manifest } from './manifest.ts'
import { withoutCredentials } from './stores.ts'

/** Runs one command line (without `node` and the script) and gives its exit code. Never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = EXIT.ok
  const setExitCode = (code: number): void => {
    exitCode = code
  }
  try {
    await program(io, setExitCode).parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    const failure = failureOf(error)
    io.err(toldOf(failure, io.env))
    return failure.exitCode
  }
}

function program(io: Io, setExitCode: (code: number) => void): Command {
  const ostler = new Command('ostler')
    .description(
      'Picks the right agent for every request: simulate, pick, import, replay, doctor, serve, keys.',
    )
    .version(manifest().version, '-V, --version')
    .exitOverride()
    .showHelpAfterError('(--help says more)')
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      // What is wrong may be a store's url that was mistyped.
      outputError: (text, write) =>
        write(withoutCredentials(text).replace(/^error: (.*?)\.?$/m, 'ostler: $1 (USAGE)')),
    })
    .addHelpText('after', EPILOGUE)
  simulateCommand(ostler, io)
  pickCommand(ostler, io, setExitCode)
  importCommand(ostler, io)
  replayCommand(ostler, io)
  doctorCommand(ostler, io, setExitCode)
  serveCommand(ostler, io)
  keysCommand(ostler, io)
  startCommand(ostler, io)
  return ostler
}

const EPILOGUE = `
Exit codes: 0 done, 1 failed (doctor: something is wrong), 2 wrong command line
or file, 3 no agent to pick.
A file named - is standard input. OSTLER_DEBUG=1 shows where errors come from.

Examples:
  ostler simulate --quick
  ostler pick https://shop.example/p/1 --geo 48.21,16.37 --why
  ostler import proxies.txt --out agents.json
  ostler replay access.log --limit 60 --window 60000
  ostler doctor --store redis://localhost
  ostler serve --demo`
