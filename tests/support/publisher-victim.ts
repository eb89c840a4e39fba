// Publishes in a process of its own, so that it can be killed or run beside others. Its argument is JSON; its events are printed, a line each.
import { promoteRelease } from '../../src/flow/repository-promote.ts'
import { pruneReleases } from '../../src/flow/repository-prune.ts'
import { upload } from '../../src/flow/upload.ts'

/** What to do; the options are those of the flow. */
export type Order =
  | { readonly command: 'upload'; readonly options: Parameters<typeof upload>[0]; readonly nowMs: number }
  | { readonly command: 'promote'; readonly options: Parameters<typeof promoteRelease>[0]; readonly nowMs: number }
  | { readonly command: 'prune'; readonly options: Parameters<typeof pruneReleases>[0]; readonly nowMs: number }

const order: Order = JSON.parse(process.argv[2] ?? '')
const tools = {
  emit: (event: unknown) => void process.stdout.write(`${JSON.stringify(event)}\n`),
  clock: { nowMs: () => order.nowMs, elapsedMs: () => performance.now() },
  signal: new AbortController().signal,
}
if (order.command === 'upload') await upload(order.options, tools)
else if (order.command === 'promote') await promoteRelease(order.options, tools)
else await pruneReleases(order.options, tools)
