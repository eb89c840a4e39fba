import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe } from 'vitest'
import { instanceName } from '../../src/service/names.ts'
import { renderServeUnits } from '../../src/service/render-serve-unit.ts'
import { type BootedRoot, type DebianRoot, makeDebian, needRoots } from '../support/debian-root.ts'
import { driverContract } from '../support/driver-contract.ts'
import { copyWithLibraries } from '../support/node-base.ts'

const node = '/usr/local/bin/node'
const repository = '/srv/cutover'

/** Debian, its systemd, and the units of `cutover serve`, which makes more of them. */
describe.skipIf(!needRoots())('driver systemd', () => {
  let root: DebianRoot
  let booted: Promise<BootedRoot>
  beforeAll(async () => {
    root = makeDebian()()
    copyWithLibraries(process.execPath, root.folder, node)
    fs.mkdirSync(path.join(root.folder, repository))
    execFileSync('mount', ['--bind', path.join(import.meta.dirname, '..', '..'), path.join(root.folder, repository)])
    for (const mode of ['proxy', 'handover']) fs.mkdirSync(path.join(root.folder, 'srv', mode))
    booted = root.boot({ until: 'the file is over' })
    await booted
  })

  for (const mode of ['proxy', 'handover'] as const) {
    describe(mode, () => {
      driverContract(async () => {
        const folder = `/srv/${mode}`
        const system = await booted
        const unit = installUnits(root, system, path.join(folder, 'prefix'), mode)
        return {
          driver: 'systemd',
          mode,
          folder: { inside: folder, outside: path.join(root.folder, folder) },
          node,
          // On machines of this kind a container has no controllers.
          hasGroups: false,
          notifies: true,
          takesLines: true,
          followsSuccessor: true,
          serve: async () => {
            system.run('systemctl', 'restart', `${unit}.service`)
            return {
              output: () => system.run('journalctl', '--unit', unit, '--output=cat', '--no-pager'),
              kill: async () => void system.run('systemctl', 'kill', '--signal=KILL', '--kill-whom=main', unit),
              end: async () => void system.run('systemctl', 'stop', `${unit}.service`),
            }
          },
          remains: () =>
            system.run('systemctl', 'list-units', '--all', '--plain', '--no-legend', `${unit}-*.service`).trim(),
        }
      })
    })
  }
})

/** Install the units of `cutover serve`. Returns what they are called. */
function installUnits(root: DebianRoot, system: BootedRoot, prefix: string, mode: 'proxy' | 'handover'): string {
  const argv = [node, path.join(repository, 'src/bin/cutover.ts'), 'serve', prefix, '--json']
  // In the order in which systemd hands them over nothing can be trusted.
  const names = mode === 'handover' ? { admin: 'admin', http: 'public' } : {}
  const sockets = Object.entries(names).map(([name, file]) => ({ name, stream: path.join(prefix, `run/${file}.sock`) }))
  const instance = instanceName('toy', prefix)
  const at = (name: string) => path.join(root.folder, 'etc/systemd/system', name)
  for (const [name, text] of Object.entries(
    renderServeUnits({ instance, root: prefix, argv, sockets, owner: undefined }),
  ))
    fs.writeFileSync(at(name), text)
  // What is killed stays so until the test says otherwise.
  fs.mkdirSync(at(`${instance}.service.d`))
  const test = '[Service]\nRestart=no\nEnvironment=CUTOVER_CONTRACT=yes\n'
  fs.writeFileSync(path.join(at(`${instance}.service.d`), 'test.conf'), test)
  system.run('systemctl', 'daemon-reload')
  return instance
}
