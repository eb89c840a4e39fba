import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { LoadOptions, LoadReport, LoadSnapshot } from './load.ts'

/** A load in a process of its own, so that it does not share an event loop with what it measures. */
export interface SpawnedLoad {
  /** How it stood a second ago at most; undefined in the first second. */
  snapshot(): LoadSnapshot | undefined
  /** End it; rejects when the process ended without a report. */
  stop(): Promise<LoadReport>
}

type Line =
  | { readonly kind: 'snapshot'; readonly snapshot: LoadSnapshot }
  | { readonly kind: 'report'; readonly report: LoadReport }

/** Start a load in a process of its own. It ends with ours, however that ends: its standard input does. */
export function spawnLoad(options: Omit<LoadOptions, 'slowMs' | 'timeoutMs'>): SpawnedLoad {
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, 'load.ts'), options.url, '--json', '--until-input-ends', ...flags(options)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const { promise: report, resolve, reject } = Promise.withResolvers<LoadReport>()
  // Told to whoever calls stop(); until then nobody listens.
  report.catch(() => undefined)
  let latest: LoadSnapshot | undefined
  createInterface({ input: child.stdout }).on('line', text => {
    const line = JSON.parse(text) as Line
    if (line.kind === 'report') resolve(line.report)
    else latest = line.snapshot
  })
  child.on('error', reject)
  // Only when it has ended already, which `close` tells.
  child.stdin.on('error', reject)
  child.on('close', code => reject(new Error(`the load ended with exit code ${code} and without a report`)))
  return {
    snapshot: () => latest,
    stop() {
      child.stdin.end()
      return report
    },
  }
}

function flags(options: Omit<LoadOptions, 'url'>): string[] {
  const named = {
    '--readers': options.readers,
    '--writers': options.writers,
    '--slow-readers': options.slowReaders,
    '--pause-ms': options.pauseMs,
  } as const
  return Object.entries(named).flatMap(([flag, value]) => (value === undefined ? [] : [flag, String(value)]))
}
