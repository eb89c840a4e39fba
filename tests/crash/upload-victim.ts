import { upload } from '../../src/flow/upload.ts'

/*
 * A process that uploads, and ends itself with SIGKILL when the flow emits its n-th event: nothing of it gets to clean up.
 */

interface Order {
  readonly options: Parameters<typeof upload>[0]
  readonly killAt: number
}

const { options, killAt }: Order = JSON.parse(process.argv[2] ?? '')
let seen = 0
await upload(options, {
  emit: () => {
    seen += 1
    if (seen === killAt) process.kill(process.pid, 'SIGKILL')
  },
  clock: { nowMs: () => Date.now(), elapsedMs: () => performance.now() },
  signal: new AbortController().signal,
})
process.stdout.write(`ended after ${seen} events\n`)
