import { defineConfig } from 'vitest/config'

interface Limits {
  readonly testTimeout: number
  /** Projects with a higher number start after those with a lower one have ended. */
  readonly groupOrder: number
  /** How many files are run at once: more than two cores where tests wait for processes, the same within a group. */
  readonly maxWorkers: number
}

/** Fast ones come first, so that a mistake is told early; those that measure time or kill processes do not share the machine with them. */
const projects: Readonly<Record<string, Limits>> = {
  unit: { testTimeout: 10_000, groupOrder: 0, maxWorkers: 2 },
  structure: { testTimeout: 60_000, groupOrder: 0, maxWorkers: 2 },
  flow: { testTimeout: 120_000, groupOrder: 1, maxWorkers: 3 },
  conformance: { testTimeout: 180_000, groupOrder: 1, maxWorkers: 3 },
  reproduce: { testTimeout: 180_000, groupOrder: 1, maxWorkers: 3 },
  crash: { testTimeout: 300_000, groupOrder: 2, maxWorkers: 2 },
}

export default defineConfig({
  test: {
    maxWorkers: 3,
    projects: Object.entries(projects).map(([name, { testTimeout, groupOrder, maxWorkers }]) => ({
      test: {
        name,
        include: [`tests/${name}/**/*.test.ts`],
        environment: 'node',
        pool: 'forks',
        maxWorkers,
        testTimeout,
        hookTimeout: testTimeout,
        sequence: { groupOrder },
      },
    })),
  },
})
