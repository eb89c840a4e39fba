// Publishes a release to an outlet in a process of its own, so that it can be killed. Its argument is JSON.
import fs from 'node:fs'
import path from 'node:path'
import { parseReleaseRecord } from '../../src/payload/release-record.ts'
import { openOutlet } from '../../src/repository/outlets/open.ts'
import { newest, outletTools } from './outlet-tools.ts'

interface Order {
  readonly place: string
  /** `dist/VERSION` */
  readonly folder: string
}

const { place, folder }: Order = JSON.parse(process.argv[2] ?? '')
const recordBytes = fs.readFileSync(path.join(folder, 'release.json'))
const outlet = await openOutlet(place, { environment: process.env, cwd: folder })
const record = parseReleaseRecord(recordBytes)
await outlet.publish({ record, recordBytes, folder, standing: newest }, outletTools(folder))
