import fs from 'node:fs'
import { describe } from 'vitest'
import { driverContract } from '../support/driver-contract.ts'
import { hasControlGroups, needRoot, serveHere } from '../support/served-driver.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

describe.skipIf(!(needRoot() && needTool('setpriv', 'prlimit')))('driver embedded', () => {
  for (const mode of ['proxy', 'handover'] as const) {
    describe(mode, () => {
      driverContract(async () => {
        const folder = tempFolder()
        fs.chmodSync(folder, 0o711)
        return {
          driver: 'embedded',
          mode,
          folder: { inside: folder, outside: folder },
          node: process.execPath,
          hasGroups: hasControlGroups(),
          takesLines: true,
          serve: prefix => serveHere(prefix),
          remains: () => '',
        }
      })
    })
  }
})
