import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { simpleJsonType } from '../../src/repository/python/simple.ts'
import { answerRepository } from '../../src/repository/serve/answer.ts'
import { execute, tryExecute } from '../../src/sys/exec.ts'
import { ServedFolder } from '../../src/sys/served-folder.ts'
import { startServer, startStaticServer } from '../../src/sys/static-server.ts'
import { makeRelease } from '../support/made-release.ts'
import { description, indexed, writeSite } from '../support/made-site.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/** The index of Python as pip reads it: over HTTP in both its forms, and from a folder. */

const base = tempFolder()
const folder = path.join(base, 'repository')
const reason = 'loses notes on leap days'

interface Distribution {
  readonly name: string
  readonly version: string
  readonly requires?: string
}

const distributions: readonly Distribution[] = [
  { name: 'notes_core', version: '0.5.0' },
  ...['1.0.0', '1.1.0', '1.2.0', '1.3.0'].map(version => ({ name: 'notes_client', version, requires: 'notes-core' })),
]
const fileOf = ({ name, version }: Distribution) => `${name}-${version}-py3-none-any.whl`

/** Writes wheels that are as small as wheels can be. Source: PyPA specifications, binary distribution format. */
const buildWheels = `
import json, sys, zipfile
for wheel in json.loads(sys.argv[2]):
    name, version = wheel['name'], wheel['version']
    info = f'{name}-{version}.dist-info'
    requires = f"Requires-Dist: {wheel['requires']}\\n" if 'requires' in wheel else ''
    with zipfile.ZipFile(f'{sys.argv[1]}/{name}-{version}-py3-none-any.whl', 'w') as file:
        file.writestr(f'{name}.py', f'version = "{version}"\\n')
        file.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n{requires}')
        file.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        file.writestr(f'{info}/RECORD', '')
`

/** The client in four releases, of which one is withdrawn and one for no Python that there is; each brings what it needs. */
async function writeRepository(): Promise<void> {
  const wheels = tempFolder()
  await execute(['python3', '-c', buildWheels, wheels, JSON.stringify(distributions)])
  const [core, ...clients] = distributions.map(each => ({
    ...each,
    bytes: fs.readFileSync(path.join(wheels, fileOf(each))),
  }))
  const distFolder = path.join(base, 'dist')
  const records = clients.map(client => {
    const python = { name: fileOf(client), project: 'Notes.Client', bytes: client.bytes }
    const record = makeRelease({ distFolder, version: client.version, tag: `v${client.version}`, python })
    fs.writeFileSync(path.join(distFolder, client.version, fileOf(core!)), core!.bytes)
    return record
  })
  const index = indexed(records, {}, { '1.2.0': { yanked: { reason, atMs: 0 } } })
  const shared = {
    name: fileOf(core!),
    project: 'notes-core',
    sizeBytes: core!.bytes.length,
    digest: digestOf(core!.bytes),
  }
  const releases = index.releases.map(release => ({
    ...release,
    python: [
      ...release.python.map(({ requiresPython: _, ...file }) =>
        release.version === '1.3.0' ? { ...file, requiresPython: '>=99' } : file,
      ),
      shared,
    ],
  }))
  writeSite(folder, description, [{ index: { ...index, releases }, records, distFolder, summary: '' }])
  for (const { version } of records)
    fs.copyFileSync(
      path.join(distFolder, version, fileOf(core!)),
      path.join(folder, 'pool/notes', version, fileOf(core!)),
    )
}

async function pip(command: 'download' | 'install', ...options: readonly string[]) {
  const into = tempFolder()
  const place = command === 'download' ? '--dest' : '--target'
  const always = ['--isolated', '--disable-pip-version-check', '--no-cache-dir', '--retries', '0', command, place, into]
  const environment = { PATH: process.env['PATH'] ?? '', PIP_CONFIG_FILE: '/dev/null', HOME: base, LC_ALL: 'C' }
  const ran = await tryExecute(['pip3', ...always, ...options], { environment, timeoutMs: 60_000 })
  return { ...ran, files: fs.readdirSync(into).toSorted() }
}

describe.skipIf(!needTool('python3', 'pip3'))('pip', () => {
  const answered: string[] = []
  let url: string
  let plainUrl: string

  beforeAll(async () => {
    await writeRepository()
    const answer = answerRepository(new ServedFolder(folder))
    const watched: typeof answer = async request => {
      const given = await answer(request)
      answered.push(`${request.path} ${given.headers['content-type']}`)
      return given
    }
    const server = await startServer(watched, { host: '127.0.0.1', port: 0 })
    // A web server that knows nothing of Python: pages are HTML, whatever is asked for.
    const plain = await startStaticServer({ root: folder, host: '127.0.0.1', port: 0 })
    url = server.url
    plainUrl = plain.url
    return () => Promise.all([server.close(), plain.close()])
  })

  const wheels = (version: string) => [`notes_client-${version}-py3-none-any.whl`, 'notes_core-0.5.0-py3-none-any.whl']

  it('takes the newest that was not withdrawn and that this Python can run, with what it needs, from the index as JSON', async () => {
    const ran = await pip('download', '--index-url', `${url}simple/`, 'notes_client<2')
    expect(ran.exitCode, ran.stderr).toBe(0)
    expect(ran.files).toEqual(wheels('1.1.0'))
    expect(answered).toContain(`/simple/notes-client/ ${simpleJsonType}`)
  })

  it('reads the same from a server that has only pages, under any spelling of the project', async () => {
    const ran = await pip('download', '--index-url', `${plainUrl}simple/`, 'Notes.Client')
    expect(ran.exitCode, ran.stderr).toBe(0)
    expect(ran.files).toEqual(wheels('1.1.0'))
  })

  it('reads the same from a folder', async () => {
    const ran = await pip('download', '--index-url', `${pathToFileURL(folder).href}/simple/`, 'notes-client==1.0.0')
    expect(ran.exitCode, ran.stderr).toBe(0)
    expect(ran.files).toEqual(wheels('1.0.0'))
  })

  it.each(['JSON', 'pages'])(
    'installs what was withdrawn where exactly that is asked for, and says why (%s)',
    async form => {
      const index = `${form === 'JSON' ? url : plainUrl}simple/`
      const ran = await pip('install', '--no-deps', '--index-url', index, 'notes-client==1.2.0')
      expect(ran.exitCode, ran.stderr).toBe(0)
      expect(ran.files).toContain('notes_client.py')
      expect(ran.stderr).toContain('yanked')
      expect(ran.stderr).toContain(reason)
    },
  )

  it.each(['over HTTP', 'from a folder'])('takes links from the page of a project (%s)', async way => {
    const place = way === 'over HTTP' ? plainUrl : `${pathToFileURL(folder).href}/`
    const links = ['notes-client', 'notes-core'].flatMap(name => ['--find-links', `${place}simple/${name}/`])
    const ran = await pip('download', '--no-index', ...links, 'notes-client')
    expect(ran.exitCode, ran.stderr).toBe(0)
    expect(ran.files).toEqual(wheels('1.1.0'))
  })

  it('takes only the bytes that a requirements file names, as the page of the release writes it', async () => {
    const page = fs.readFileSync(path.join(folder, 'pages/notes/1.1.0/index.html'), 'utf8').replace(/<\/?span>/g, '')
    const line = /notes-client==1\.1\.0 --hash=sha256:[0-9a-f]{64}/.exec(page)![0]
    const requirements = path.join(tempFolder(), 'requirements.txt')
    const download = () =>
      pip('download', '--no-deps', '--require-hashes', '--index-url', `${url}simple/`, '--requirement', requirements)
    fs.writeFileSync(requirements, `${line}\n`)
    const right = await download()
    expect(right.exitCode, right.stderr).toBe(0)
    fs.writeFileSync(requirements, line.replace(/[0-9a-f]{64}/, '0'.repeat(64)))
    const wrong = await download()
    expect([wrong.exitCode, wrong.files]).toEqual([1, []])
    expect(wrong.stderr).toMatch(/DO NOT MATCH THE HASHES/)
  })

  it('refuses a file whose bytes are not those of the index', async () => {
    const file = path.join(folder, 'pool/notes/1.0.0', 'notes_client-1.0.0-py3-none-any.whl')
    const bytes = fs.readFileSync(file)
    fs.writeFileSync(file, Buffer.concat([bytes, Buffer.from('x')]))
    try {
      const ran = await pip('download', '--no-deps', '--index-url', `${url}simple/`, 'notes-client==1.0.0')
      expect([ran.exitCode, ran.files]).toEqual([1, []])
      expect(ran.stderr).toMatch(/DO NOT MATCH THE HASHES/)
    } finally {
      fs.writeFileSync(file, bytes)
    }
  })
})
