// The servers that the tests run against, beside the packages: redis-server and rabbitmq-server, the real ones.
// Plain Node with no dependency, as setup.mjs, which runs this as its step `services`.
import { accessSync, chmodSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** By the names of their commands, which are also those of Debian's packages. */
const SERVERS = {
  'redis-server': { least: '6.2', homebrew: 'redis', site: 'https://redis.io/docs/install/' },
  'rabbitmq-server': {
    least: '3.8',
    homebrew: 'rabbitmq',
    site: 'https://www.rabbitmq.com/docs/download',
  },
}
/** Where Debian keeps what is for root alone, which is not on everybody's PATH. */
const ALSO = ['/usr/sbin']
/** Debian's packages ask it whether they may start their service: 101 is no. */
const POLICY = '/usr/sbin/policy-rc.d'

/** What is left to do so that the tests find their servers: null when nothing is, else what does it and answers a failure or null. */
export function missingServices(run) {
  const missing = Object.keys(SERVERS).filter((server) => !isOnPath(server))
  if (missing.length === 0) return null
  return () => {
    const say = (why) => advice(why, missing)
    if (!isOnPath('apt-get')) return say('This system has no apt-get to install it with.')
    if (process.getuid() !== 0) return say('Installing it takes root, which this is not.')
    const ran = withoutStarting(() => install(run, missing))
    if (ran.status !== 0) return say(`${ran.output}\n\napt-get could not install it; see above.`)
    const left = missing.filter((server) => !isOnPath(server))
    if (left.length === 0) return null
    return advice('apt-get says that it is installed, and PATH lacks it.', left)
  }
}

/** Lists of packages may be missing or old, as they are in a fresh container: then they are fetched first. */
function install(run, servers) {
  const options = ['-y', '-q', '-o', 'DPkg::Lock::Timeout=120']
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const tried = () =>
    run('apt-get', ['install', ...options, '--no-install-recommends', ...servers], env)
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
  return [...(process.env.PATH ?? '').split(delimiter), ...ALSO].some((dir) => {
    try {
      accessSync(join(dir, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function advice(why, servers) {
  const brewed = servers.map((server) => SERVERS[server].homebrew)
  return [
    why,
    ...servers.map(
      (server) =>
        `The tests run against a real ${server}, ${SERVERS[server].least} or newer, and there is none on PATH.`,
    ),
    'Install what is missing and try again:',
    `  sudo apt-get install ${servers.join(' ')}      Debian, Ubuntu`,
    `  brew install ${brewed.join(' ')}      macOS`,
    ...servers.map((server) => `  ${SERVERS[server].site}      elsewhere`),
  ].join('\n')
}
