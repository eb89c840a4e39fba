import path from 'node:path'
import { describe } from 'vitest'
import { nginxRouter } from '../../src/gate/drivers/nginx.ts'
import { nginxSnippet } from '../../src/gate/drivers/nginx-snippet.ts'
import { openOutsideGate } from '../../src/gate/drivers/outside.ts'
import { waitingAddress } from '../../src/gate/drivers/waiting-socket.ts'
import { groupOf, nginxCheck, nginxServer } from '../support/front-servers.ts'
import { contractSettings, gateContract } from '../support/gate-contract.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

describe.skipIf(!needTool('nginx'))('nginx in front', () => {
  gateContract(
    async () => {
      const folder = tempFolder()
      const port = await freePort()
      const address = { kind: 'tcp', host: '127.0.0.1', port } as const
      const place = { folder: path.join(folder, 'waiting'), group: groupOf('nginx') }
      const places = {
        name: 'shop',
        file: path.join(folder, 'upstreams.conf'),
        pidFile: path.join(folder, 'nginx.pid'),
        check: nginxCheck(folder),
        waiting: waitingAddress(place),
      }
      const snippet = nginxSnippet(places, {
        prefix: '/var/shop',
        listening: [address],
        trust: [],
        answerTimeoutMs: 60_000,
        idleTimeoutMs: 60_000,
      })
      return {
        port,
        open: mode =>
          openOutsideGate({
            router: nginxRouter(places),
            place,
            address,
            settings: contractSettings,
            runFolder: folder,
            mode,
            expectsService: true,
            tell: () => {},
          }),
        server: nginxServer(folder, port, () => snippet),
      }
    },
    { hasServer: true, histories: 2 },
  )
})
