import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { haproxyRouter } from '../../src/gate/drivers/haproxy.ts'
import { haproxySnippet } from '../../src/gate/drivers/haproxy-snippet.ts'
import { openOutsideGate } from '../../src/gate/drivers/outside.ts'
import { renderHaproxy } from '../../src/slots/render-front.ts'
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

  it('has room for a site of two slots, each with a gate of its own', () => {
    const folder = tempFolder()
    const addresses = [8081, 8082].map(port => ({ kind: 'tcp', host: '127.0.0.1', port }) as const)
    const slots = ['blue', 'green'].map((name, index) => ({ name, address: addresses[index]! }))
    const maps = [...slots.map(({ name }) => `${name}.map`), 'roles.map'].map(name => path.join(folder, name))
    for (const map of maps) fs.writeFileSync(map, '')
    const gates = slots.map(({ name, address }) =>
      haproxySnippet(
        {
          socket: path.join(folder, 'admin.sock'),
          map: path.join(folder, `${name}.map`),
          key: name,
          name: `shop-${name}`,
          stateFile: path.join(folder, `${name}.state`),
        },
        { folder: path.join(folder, name), group: 'haproxy' },
        {
          prefix: `/srv/${name}`,
          listening: [address],
          trust: [],
          answerTimeoutMs: 1000,
          idleTimeoutMs: 1000,
          chroot: undefined,
        },
      ),
    )
    const roles = [
      { name: 'production', host: 'shop.example' },
      { name: 'development', host: 'next.shop.example' },
    ]
    const site = renderHaproxy(
      { site: '/srv/shop', name: 'shop', roles, slots },
      { map: path.join(folder, 'roles.map') },
    )
    const file = path.join(folder, 'haproxy.cfg')
    fs.writeFileSync(file, [site, ...gates].join('\n'))
    const { status, stderr } = spawnSync('haproxy', ['-c', '-q', '-f', file], { encoding: 'utf8' })
    expect([status, stderr.replace(/.*state file.*\n?/g, '')]).toEqual([0, ''])
  })
})
