// How much of a page the client is: bundled, minified and compressed, with all that it brings along.
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { root } from './sources.mjs'

const entry = join(root, 'packages/client/src/index.ts')

/** What somebody imports: the most bytes that it may be, and what must not be in it. */
const IMPORTS = [
  { code: `export * from ${JSON.stringify(entry)}`, mostBytes: 12 * 1024 },
  // Who takes one class of errors pays for errors alone.
  {
    code: `import { RateLimitError } from ${JSON.stringify(entry)}; console.log(RateLimitError)`,
    mostBytes: 1536,
  },
  { code: `import ${JSON.stringify(entry)}`, mostBytes: 32 },
]

export async function sizeProblems() {
  const problems = []
  for (const { code, mostBytes } of IMPORTS) {
    const { code: bundle, imports, dynamicImports } = await bundled(code)
    const bytes = gzipSync(bundle, { level: 9 }).length
    const what = code.replaceAll(entry, '@ostler/client')
    if (bytes > mostBytes) problems.push(`${what}: ${bytes} bytes, may be ${mostBytes}`)
    const more = [...imports, ...dynamicImports]
    if (more.length > 0) problems.push(`${what}: imports ${more.join(', ')} besides`)
  }
  return problems
}

/** One file for no platform in particular: what a browser or a worker would load. */
async function bundled(code) {
  const name = 'virtual:entry'
  const plugin = {
    name: 'entry',
    resolveId: (id) => (id === name ? id : null),
    load: (id) => (id === name ? code : null),
  }
  const build = await rolldown({
    input: name,
    plugins: [plugin],
    platform: 'neutral',
    resolve: { conditionNames: ['@ostler/source', 'import', 'default'] },
  })
  const { output } = await build.generate({ format: 'esm', minify: true })
  await build.close()
  return output[0]
}
