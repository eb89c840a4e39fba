import fs from 'node:fs'
import path from 'node:path'
import { type Executed, tryExecute } from '../../src/sys/exec.ts'
import { tempFolder } from './temp.ts'

/** An apt that knows nothing of this machine: own root, own configuration, own sources. */
export interface IsolatedApt {
  readonly root: string
  /** Its configuration, for programs that use apt's. */
  readonly configuration: string
  /** Run apt-get; what it complains of in passing counts as well. */
  readonly get: (...args: string[]) => Promise<Executed>
  /** What apt-cache says. */
  readonly cache: (...args: string[]) => Promise<string>
  readonly setSources: (sources: string) => void
}

/** Make one with these sources, and further lines of configuration. */
export function isolatedApt(sources: string, more: readonly string[] = []): IsolatedApt {
  const root = path.join(tempFolder(), 'root')
  const folders = ['etc/apt/sources.list.d', 'etc/apt/preferences.d', 'var/lib/dpkg', 'var/lib/apt/lists/partial']
  for (const folder of [...folders, 'var/log/apt', 'var/cache/apt/archives/partial']) {
    fs.mkdirSync(path.join(root, folder), { recursive: true })
  }
  fs.writeFileSync(path.join(root, 'var/lib/dpkg/status'), '')
  const configuration = path.join(root, 'apt.conf')
  const lines = [
    `Dir "${root}";`,
    `Dir::State::status "${root}/var/lib/dpkg/status";`,
    'Dir::Etc::main "/dev/null";',
    'Dir::Etc::parts "/dev/null";',
    'APT::Architecture "amd64";',
    'APT::Architectures {"amd64";};',
    'APT::Sandbox::User "root";',
    'APT::Update::Error-Mode "any";',
    'Acquire::Languages "none";',
    'Acquire::Retries "0";',
    `DPkg::Options {"--root=${root}";"--force-not-root";"--force-script-chrootless";"--log=${root}/dpkg.log";};`,
    ...more,
  ]
  fs.writeFileSync(configuration, `${lines.join('\n')}\n`)
  const environment = {
    PATH: process.env['PATH'] ?? '',
    APT_CONFIG: configuration,
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
  }
  const run = (...argv: [string, ...string[]]) => tryExecute(argv, { environment, timeoutMs: 60_000 })
  const setSources = (text: string) => fs.writeFileSync(path.join(root, 'etc/apt/sources.list.d/vendor.sources'), text)
  setSources(sources)
  return {
    root,
    configuration,
    get: (...args) => run('apt-get', '--yes', ...args),
    cache: async (...args) => (await run('apt-cache', ...args)).stdout,
    setSources,
  }
}
