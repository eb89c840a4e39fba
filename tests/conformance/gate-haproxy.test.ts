import path from 'node:path'
import { describe } from 'vitest'
import { haproxyRouter } from '../../src/gate/drivers/haproxy.ts'
import { haproxySnippet } from '../../src/gate/drivers/haproxy-snippet.ts'
import { openOutsideGate } from '../../src/gate/drivers/outside.ts'
import { groupOf, haproxyServer, jailOf } from '../support/front-servers.ts'
import { contractSettings, gateContract } from '../support/gate-contract.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

describe.skipIf(!needTool('haproxy'))('HAProxy in front', () => {
  gateContract(
    async () => {
      const folder = tempFolder()
      const port = await freePort()
      const address = { kind: 'tcp', host: '127.0.0.1', port } as const
      const chroot = jailOf(folder)
      const place = { folder: path.join(chroot ?? folder, 'waiting'), group: groupOf('haproxy') }
      const places = {
        socket: path.join(folder, 'admin.sock'),
        map: path.join(folder, 'routes.map'),
        key: 'shop',
        name: 'shop',
        stateFile: path.join(folder, 'haproxy.state'),
      }
      const snippet = haproxySnippet(places, place, {
        prefix: '/var/shop',
        listening: [address],
        trust: [],
        answerTimeoutMs: 60_000,
        idleTimeoutMs: 60_000,
        chroot,
      })
      return {
        port,
        open: mode =>
          openOutsideGate({
            router: haproxyRouter(places),
            place,
            address,
            settings: contractSettings,
            runFolder: folder,
            mode,
            expectsService: true,
            tell: () => {},
          }),
        server: haproxyServer(folder, port, () => snippet),
      }
    },
    { hasServer: true, histories: 2 },
  )
})
