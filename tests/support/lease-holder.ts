/*
 * A publisher that takes the lease of a target and does what it is told, as a process of its own: `node lease-holder.ts PLACE TIMES`.
 * Says `held`, and to every line on its standard input whether it still is: `held`, or the code of the error.
 */
import { createInterface } from 'node:readline'
import { ReleaseError } from '../../src/core/error.ts'
import { openDirectory } from '../../src/repository/targets/directory.ts'
import { openHttp } from '../../src/repository/targets/http.ts'
import type { LeaseTimes } from '../../src/repository/targets/lease.ts'
import { openS3 } from '../../src/repository/targets/s3.ts'
import { systemTransferTools } from '../../src/repository/targets/tools.ts'

const [place = '', times = ''] = process.argv.slice(2)
const options = {
  environment: process.env,
  tools: systemTransferTools,
  leaseTimes: JSON.parse(times) as LeaseTimes,
}

function open() {
  if (place.startsWith('http')) return openHttp(new URL(place), options)
  return place.startsWith('s3:') ? openS3(new URL(place), options) : openDirectory(place)
}

const lease = await open().lease('the holder', { waitMs: 0 })
process.stdout.write('held\n')
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'release') await lease.release()
  try {
    lease.assertHeld()
    process.stdout.write('held\n')
  } catch (caught) {
    if (!(caught instanceof ReleaseError)) throw caught
    process.stdout.write(`${caught.code}\n`)
  }
}
