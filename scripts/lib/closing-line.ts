import type { Reporter, TestModule } from 'vitest/node'

/**
 * Print how a whole run ended, alone on a line, in the form that CI systems read: `12 passed, 0 failed, 1 skipped`.
 *
 * Post: a test file that could not be loaded and an error outside of tests count as one failure each.
 */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      counts.failed += module.errors().length
      for (const test of module.children.allTests()) counts[test.result().state] += 1
    }
    // What never came to a result was not passed.
    const failed = counts.failed + counts.pending
    process.stdout.write(`\n${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped\n`)
  }
}
