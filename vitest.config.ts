import { defineConfig } from 'vitest/config'

interface Limits {
  readonly testTimeout: number
  /** Projects with a higher number start after those with a lower one have ended. */
  readonly groupOrder: number
}

/** Fast ones come first, so that a mistake is told early; those that measure time or kill processes do not share the machine with them. */
const projects: Readonly<Record<string, Limits>> = {
  unit: { testTimeout: 10_000, groupOrder: 0 },
  structure: { testTimeout: 60_000, groupOrder: 0 },
  flow: { testTimeout: 120_000, groupOrder: 1 },
  conformance: { testTimeout: 180_000, groupOrder: 1 },
  reproduce: { testTimeout: 180_000, groupOrder: 1 },
  crash: { testTimeout: 300_000, groupOrder: 2 },
}

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: Object.entries(projects).map(([name, { testTimeout, groupOrder }]) => ({
      test: {
        name,
        include: [`tests/${name}/**/*.test.ts`],
        environment: 'node',
        pool: 'forks',
        maxWorkers: 2,
        testTimeout,
        hookTimeout: testTimeout,
        sequence: { groupOrder },
      },
    })),
  },
})
