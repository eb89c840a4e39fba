// Loaded by `node --import`: kills the process, as kill -9 does, right after the journal was synced for the KILL_AT_SYNC-th time.
import fs from 'node:fs'

const killAt = Number(process.env.KILL_AT_SYNC)
const sync = fs.fsyncSync
let syncs = 0

fs.fsyncSync = descriptor => {
  sync(descriptor)
  if (!fs.readlinkSync(`/proc/self/fd/${descriptor}`).endsWith('/journal.ndjson')) return
  syncs += 1
  if (syncs === killAt) process.kill(process.pid, 'SIGKILL')
}
