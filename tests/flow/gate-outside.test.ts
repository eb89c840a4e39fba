import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { expect, it } from 'vitest'
import { type FrontServer, groupOf, haproxyServer, jailOf, nginxCheck, nginxServer } from '../support/front-servers.ts'
import { isLong } from '../support/kill-points.ts'
import { startLoad } from '../support/load.ts'
import { freePort } from '../support/ports.ts'
import { servingProcesses } from '../support/successors.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { startServing, toyPrefix, until, upgrade } from '../support/toy-prefix.ts'

const cutover = path.join(import.meta.dirname, '..', '..', 'src', 'bin', 'cutover.ts')

/** What stands in front, with the configuration that we print for it, and what a recipe says of it. */
interface Stand {
  readonly server: FrontServer
  readonly gate: object
}

const stands: Readonly<Record<'haproxy' | 'nginx', (folder: string, port: number, snippet: () => string) => Stand>> = {
  haproxy: (folder, port, snippet) => {
    const jail = jailOf(folder)
    const place = { folder: path.join(jail ?? folder, 'waiting'), group: groupOf('haproxy') }
    const chroot = jail === undefined ? {} : { chroot: jail }
    return {
      server: haproxyServer(folder, port, snippet),
      gate: { haproxy: { ...place, ...chroot, socket: path.join(folder, 'admin.sock') } },
    }
  },
  nginx: (folder, port, snippet) => ({
    server: nginxServer(folder, port, snippet),
    gate: {
      nginx: {
        folder: path.join(folder, 'waiting'),
        group: groupOf('nginx'),
        file: path.join(folder, 'upstreams.conf'),
        pidFile: path.join(folder, 'nginx.pid'),
        check: nginxCheck(folder),
      },
    },
  }),
}

for (const mode of ['haproxy', 'nginx'] as const) {
  it.skipIf(!needTool(mode))(
    `upgrades behind ${mode}, configured as we print it, without a failed request, POSTs included`,
    async () => {
      const folder = tempFolder()
      const port = await freePort()
      const root = path.join(folder, 'prefix')
      const print = () => execFileSync(process.execPath, [cutover, 'gate', 'config', mode, root], { encoding: 'utf8' })
      const { server, gate } = stands[mode](folder, port, print)
      const prefix = toyPrefix(root, { mode: 'proxy', gate: { mode, listen: `127.0.0.1:${port}`, ...gate } })
      prefix.addRelease('1.0.0')
      prefix.addRelease('1.1.0')
      prefix.switchTo('1.0.0')
      const serving = await startServing(root)
      try {
        await server.start()
        const status = async () => (await serving.client.request({ kind: 'status' })).status
        /** Once they go round us, no request is counted any more. */
        const isDirect = () =>
          until(async () => {
            const before = (await status()).counters.requests
            await (await fetch(serving.url)).text()
            return (await status()).counters.requests === before
          })
        await isDirect()
        const load = startLoad(serving.url, 16)
        for (let round = 0; round < (isLong ? 20 : 1); round += 1) {
          for (const version of ['1.1.0', '1.0.0']) {
            await upgrade(serving, prefix, version)
            await isDirect()
          }
        }
        // The gate itself as well: whoever goes on tells the server.
        await serving.client.request({ kind: 'upgrade' })
        await serving.client.request({ kind: 'gate', mode: 'hold', reason: 'to be seen' })
        await until(async () => (await status()).counters.heldNow > 0)
        await serving.client.request({ kind: 'gate', mode: 'pass', reason: 'seen' })
        await isDirect()
        const report = await load.stop()
        expect(report.failures).toEqual([])
        expect(report.versions.toSorted()).toEqual(['1.0.0', '1.1.0'])
        expect(await status()).toMatchObject({ gateMode: mode, address: `127.0.0.1:${port}`, version: '1.0.0' })
        expect((await status()).counters).toMatchObject({ backedOff: 0, abandoned: 0 })
        expect((await status()).counters.held).toBeGreaterThan(0)
        expect((await status()).pid).not.toBe(serving.child.pid)
      } finally {
        await serving.client.request({ kind: 'shutdown' })
        await until(async () => servingProcesses(root).length === 0)
        await server.kill()
      }
    },
  )
}
