// Writes src/wire.ts, the types of the gateway's requests and answers, from its OpenAPI document.
//
//   node packages/client/scripts/wire.mjs           write it
//   node packages/client/scripts/wire.mjs --check   fail where it is not what the document says
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'

const from = new URL('../../gateway/openapi.json', import.meta.url)
const to = fileURLToPath(new URL('../src/wire.ts', import.meta.url))

/** What the client sends and is answered: type, and where the document has it. */
const BODIES = {
  FetchBody: ['post', '/fetch'],
  AgentBody: ['put', '/network/agents/{id}'],
  ConsumeBody: ['post', '/amqp/consume'],
  SettleBody: ['post', '/amqp/streams/{id}/ack'],
  PublishBody: ['post', '/amqp/publish'],
}
const ANSWERS = {
  FetchAnswer: ['post', '/fetch'],
  UsageAnswer: ['get', '/usage'],
  HealthAnswer: ['get', '/network/health/{domain}'],
  AgentsAnswer: ['get', '/network/agents'],
  PickAnswer: ['get', '/debug/pick'],
  SettleAnswer: ['post', '/amqp/streams/{id}/ack'],
  PublishAnswer: ['post', '/amqp/publish'],
}

const { paths } = JSON.parse(readFileSync(from, 'utf8'))
const json = (content) => content['application/json'].schema

const lines = [
  "// Written by scripts/wire.mjs from the gateway's openapi.json.",
  '',
  '/** What must be there in an answer, and of which type: fields that may be null or absent are not in it. */',
  "export type Shape = 'string' | 'number' | 'boolean' | 'array' | { readonly [field: string]: Shape }",
]
for (const [name, [method, path]] of Object.entries(BODIES)) {
  const { summary, requestBody } = paths[path][method]
  const doc = `${method.toUpperCase()} ${path}: ${summary.toLowerCase()}. What is sent.`
  lines.push('', `/** ${doc} */`, declared(name, json(requestBody.content), ' | undefined'))
}
for (const [name, [method, path]] of Object.entries(ANSWERS)) {
  const { summary, responses } = paths[path][method]
  const schema = json(responses['200'].content)
  const doc = `${method.toUpperCase()} ${path}: ${summary.toLowerCase()}. What is answered.`
  lines.push('', `/** ${doc} */`, declared(name, schema, ''))
  const constant = name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
  lines.push(`export const ${constant}: Shape = ${JSON.stringify(shapeOf(schema))}`)
}
const options = await resolveConfig(to)
const text = await format(`${lines.join('\n')}\n`, { ...options, parser: 'typescript' })

if (!process.argv.includes('--check')) {
  writeFileSync(to, text)
} else if (readFileSync(to, 'utf8') !== text) {
  console.error('packages/client/src/wire.ts is not what openapi.json says: run')
  console.error('  node packages/client/scripts/wire.mjs')
  process.exitCode = 1
}

function declared(name, schema, absent) {
  return `export interface ${name} ${typeOf(schema, absent)}`
}

/** `absent`: what may stand in place of a field that may be left out, besides nothing. */
function typeOf(schema, absent) {
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join('|')
  if (schema.anyOf !== undefined) return schema.anyOf.map((part) => typeOf(part, absent)).join('|')
  switch (schema.type) {
    case 'object':
      return objectOf(schema, absent)
    case 'array':
      return `readonly (${typeOf(schema.items, absent)})[]`
    case 'integer':
    case 'number':
      return 'number'
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type
    case undefined:
      return 'unknown'
    default:
      throw new Error(`no type is known for ${JSON.stringify(schema)}`)
  }
}

function objectOf({ properties = {}, required = [], additionalProperties }, absent) {
  const fields = Object.entries(properties).map(([name, schema]) => {
    const doc = docOf(schema)
    const type = typeOf(schema, absent)
    return required.includes(name)
      ? `${doc}readonly ${name}: ${type}`
      : `${doc}readonly ${name}?: (${type})${absent}`
  })
  if (additionalProperties === true) fields.push('readonly [field: string]: unknown')
  else if (typeof additionalProperties === 'object') {
    fields.push(`readonly [field: string]: ${typeOf(additionalProperties, absent)}`)
  }
  return `{\n${fields.join('\n')}\n}`
}

function docOf({ description = '', default: value, minimum, maximum }) {
  const parts = [description]
  if (minimum !== undefined && maximum !== undefined) parts.push(`${minimum} to ${maximum}`)
  if (value !== undefined) parts.push(`Default ${value}`)
  const said = parts.filter((part) => part !== '').map((part) => part.replace(/\.?$/, '.'))
  return said.length === 0 ? '' : `/** ${said.join(' ')} */\n`
}

function shapeOf(schema) {
  switch (schema.type) {
    case 'object': {
      const { properties = {}, required = [] } = schema
      const known = required.map((name) => [name, shapeOf(properties[name])])
      return Object.fromEntries(known.filter(([, shape]) => shape !== null))
    }
    case 'integer':
    case 'number':
      return 'number'
    case 'array':
    case 'string':
    case 'boolean':
      return schema.type
    default:
      return schema.anyOf?.every((part) => part.type === 'string') ? 'string' : null
  }
}
