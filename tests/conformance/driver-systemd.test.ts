import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe } from 'vitest'
import { instanceName } from '../../src/service/drivers.ts'
import { renderServeUnits } from '../../src/service/render-serve-unit.ts'
import { type BootedRoot, type DebianRoot, makeDebian, needRoots } from '../support/debian-root.ts'
import { driverContract } from '../support/driver-contract.ts'
import { copyWithLibraries } from '../support/node-base.ts'

const node = '/usr/local/bin/node'
const repository = '/srv/cutover'
const prefix = '/srv/site/prefix'
const instance = instanceName('toy', prefix)

/** Debian, its systemd, and the units of `cutover serve`, which makes more of them. */
describe.skipIf(!needRoots())('driver systemd', () => {
  let root: DebianRoot
  beforeAll(() => {
    root = makeDebian()()
    copyWithLibraries(process.execPath, root.folder, node)
    fs.mkdirSync(path.join(root.folder, repository))
    execFileSync('mount', ['--bind', path.join(import.meta.dirname, '..', '..'), path.join(root.folder, repository)])
    fs.mkdirSync(path.join(root.folder, path.dirname(prefix)), { recursive: true })
  })

  describe('with units of its own', () => {
    driverContract(async () => {
      const system = await root.boot({ until: 'the file is over' })
      installUnits(root, system)
      const unit = `${instance}.service`
      return {
        driver: 'systemd',
        folder: { inside: path.dirname(prefix), outside: path.join(root.folder, path.dirname(prefix)) },
        node,
        // No controllers in a container on machines of this kind.
        hasGroups: false,
        takesLines: true,
        serve: async () => {
          system.run('systemctl', 'restart', unit)
          return {
            output: () => system.run('journalctl', '--unit', unit, '--output=cat', '--no-pager'),
            kill: async () => void system.run('systemctl', 'kill', '--signal=KILL', '--kill-whom=main', unit),
            end: async () => void system.run('systemctl', 'stop', unit),
          }
        },
        remains: () => system.run('systemctl', 'list-units', '--all', '--plain', '--no-legend', `${instance}-*`).trim(),
      }
    })
  })
})

function installUnits(root: DebianRoot, system: BootedRoot): void {
  const argv = [node, path.join(repository, 'src/bin/cutover.ts'), 'serve', prefix, '--json']
  const units = renderServeUnits({ instance, root: prefix, argv, listenStream: undefined })
  for (const [name, text] of Object.entries(units))
    fs.writeFileSync(path.join(root.folder, 'etc/systemd/system', name), text)
  // What is killed stays so until the test says otherwise.
  const dropIn = path.join(root.folder, 'etc/systemd/system', `${instance}.service.d`)
  fs.mkdirSync(dropIn)
  fs.writeFileSync(path.join(dropIn, 'test.conf'), '[Service]\nRestart=no\nEnvironment=CUTOVER_CONTRACT=yes\n')
  system.run('systemctl', 'daemon-reload')
}
