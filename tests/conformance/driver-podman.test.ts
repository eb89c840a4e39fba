import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, describe } from 'vitest'
import { driverContract } from '../support/driver-contract.ts'
import { copyWithLibraries } from '../support/node-base.ts'
import { hasControlGroups, needRoot, serveHere } from '../support/served-driver.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

let environment: Readonly<Record<string, string>> = {}
const podman = (...args: readonly string[]) =>
  execFileSync('podman', args, { env: { ...process.env, ...environment }, encoding: 'utf8', stdio: 'pipe' })

afterAll(() => {
  // What it mounted keeps the folder from being removed.
  spawnSync('podman', ['system', 'reset', '--force'], { env: { ...process.env, ...environment }, stdio: 'ignore' })
})

describe.skipIf(!(needRoot() && needTool('podman', 'conmon', 'ldd', 'tar')))('driver podman', () => {
  driverContract(async () => {
    const folder = tempFolder()
    fs.chmodSync(folder, 0o711)
    environment = writeConfiguration(folder)
    const image = importImage(folder)
    return {
      driver: 'podman',
      folder: { inside: folder, outside: folder },
      node: '/usr/local/bin/node',
      web: { container: { image, network: 'none' } },
      // Everything of it from a compose file.
      worker: { command: [], container: { compose: 'compose.yaml', network: 'none' } },
      files: { 'compose.yaml': compose(image), 'worker.env': 'WHO=worker\n' },
      hasGroups: hasControlGroups(),
      takesLines: false,
      serve: prefix => serveHere(prefix, environment),
      remains: () => podman('ps', '--all', '--quiet'),
    }
  })
})

/** A service that says who it is only when its variables, volume and secret are there. */
function compose(image: string): string {
  const work = 'read -r found </run/secrets/filed; [ "$found" = "filed secret" ] && echo $$WHO $(id -u) >>/data/order'
  const service = {
    image,
    command: ['/bin/sh', '-c', `${work}; trap "exit 0" TERM; sleep 600 & wait`],
    env_file: 'worker.env',
    environment: { DATA: '${DATA}' },
    volumes: ['${shared}/data:/data'],
    secrets: ['filed'],
  }
  // JSON is YAML.
  return JSON.stringify({ services: { worker: service }, secrets: { filed: { file: '${shared}/data/filed' } } })
}

/** Storage of its own, and what works on machines on which the defaults do not. */
function writeConfiguration(folder: string): Readonly<Record<string, string>> {
  const engine = path.join(folder, 'containers.conf')
  const runtime = needTool('runc') ? 'runtime = "runc"\n' : ''
  const limits = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
  fs.writeFileSync(engine, `${limits}[engine]\n${runtime}cgroup_manager = "cgroupfs"\nevents_logger = "none"\n`)
  const storage = path.join(folder, 'storage.conf')
  const at = (name: string) => path.join(folder, 'podman', name)
  fs.writeFileSync(storage, `[storage]\ndriver = "overlay"\ngraphroot = "${at('storage')}"\nrunroot = "${at('run')}"\n`)
  return { CONTAINERS_CONF: engine, CONTAINERS_STORAGE_CONF: storage }
}

/** An image with a shell and this machine's Node, by its digest. */
function importImage(folder: string): string {
  const root = path.join(folder, 'root')
  copyWithLibraries(process.execPath, root, 'usr/local/bin/node')
  for (const tool of ['sh', 'sleep', 'id']) copyWithLibraries(`/bin/${tool}`, root, `bin/${tool}`)
  for (const name of ['tmp', 'etc', 'run', 'proc', 'sys', 'dev'])
    fs.mkdirSync(path.join(root, name), { recursive: true })
  const tar = path.join(folder, 'root.tar')
  execFileSync('tar', ['--create', '--file', tar, '--owner=0', '--group=0', '-C', root, '.'])
  podman('import', tar, 'localhost/base')
  const digest = podman('image', 'inspect', '--format', '{{.Digest}}', 'localhost/base').trim()
  return `localhost/base@${digest}`
}
