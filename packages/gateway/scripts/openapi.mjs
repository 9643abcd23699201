// Writes openapi.json, from the schemas that requests are checked by. Run it after a build.
//
//   node packages/gateway/scripts/openapi.mjs           write it
//   node packages/gateway/scripts/openapi.mjs --check   fail where it is not what the schemas say
import { readFileSync, writeFileSync } from 'node:fs'
import { createGateway, keyRing } from '@ostler/gateway'

const path = new URL('../openapi.json', import.meta.url)

const gateway = await createGateway({ keys: keyRing([], ''), log: false })
const answer = await gateway.app.inject('/openapi.json')
await gateway.close()
const text = `${JSON.stringify(answer.json(), null, 2)}\n`

if (!process.argv.includes('--check')) {
  writeFileSync(path, text)
} else if (readFileSync(path, 'utf8') !== text) {
  console.error('packages/gateway/openapi.json is not what the schemas say: run')
  console.error('  node packages/gateway/scripts/openapi.mjs')
  process.exitCode = 1
}
