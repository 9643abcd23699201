import { defineConfig } from 'vitest/config'

/** Tests read the packages' sources, so that no build stands between an edit and its test. */
const conditions = ['@ostler/source']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    testTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
