// The servers that the tests run against, beside the packages: redis-server, the real one.
// Plain Node with no dependency, as setup.mjs, which runs this as its step `services`.
import { accessSync, chmodSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const SERVER = 'redis-server'
/** Debian's packages ask it whether they may start their service: 101 is no. */
const POLICY = '/usr/sbin/policy-rc.d'

/** What is left to do so that the tests find their servers: null when nothing is, else what does it and answers a failure or null. */
export function missingServices(run) {
  if (isOnPath(SERVER)) return null
  return () => {
    if (!isOnPath('apt-get')) return advice('This system has no apt-get to install it with.')
    if (process.getuid() !== 0) return advice('Installing it takes root, which this is not.')
    const ran = withoutStarting(() => install(run))
    if (ran.status !== 0) return advice(`${ran.output}\n\napt-get could not install it; see above.`)
    return isOnPath(SERVER) ? null : advice('apt-get says that it is installed, and PATH lacks it.')
  }
}

/** Lists of packages may be missing or old, as they are in a fresh container: then they are fetched first. */
function install(run) {
  const options = ['-y', '-q', '-o', 'DPkg::Lock::Timeout=120']
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const tried = () =>
    run('apt-get', ['install', ...options, '--no-install-recommends', SERVER], env)
  const first = tried()
  if (first.status === 0) return first
  const updated = run('apt-get', ['update', ...options], env)
  return updated.status === 0 ? tried() : updated
}

/** The tests start servers of their own: one that the system starts would only be in their way. */
function withoutStarting(action) {
  if (existsSync(POLICY)) return action()
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n')
  chmodSync(POLICY, 0o755)
  try {
    return action()
  } finally {
    rmSync(POLICY, { force: true })
  }
}

function isOnPath(command) {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function advice(why) {
  return [
    why,
    `The tests run against a real ${SERVER}, 6.2 or newer, and there is none on PATH. Install it and try again:`,
    '  sudo apt-get install redis-server      Debian, Ubuntu',
    '  brew install redis                     macOS',
    '  https://redis.io/docs/install/         elsewhere',
  ].join('\n')
}
