import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeFixtureRepository } from '../../fixtures/make-repository.ts'
import { unpackArchive } from '../../src/envelope/oci-archive.ts'
import { type BaseImage, readBase } from '../../src/envelope/oci-base.ts'
import { proveEnvelope } from '../../src/envelope/prove.ts'
import { cut } from '../../src/flow/cut.ts'
import { lockImages } from '../../src/flow/image-lock.ts'
import { baseLayout } from '../support/base-layout.ts'
import { makeImage, type TestEnvelopes, testEnvelopes } from '../support/envelopes.ts'
import { nodeBase } from '../support/node-base.ts'
import { openPodman } from '../support/podman.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/** Images as umoci, skopeo and podman make, read and run them. */

const hasPodman = needTool('podman', 'conmon', 'ldd', 'tar')
const folder = tempFolder()
const at = (...names: string[]) => path.join(folder, ...names)
const podman = openPodman(folder)
const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe' })
const skopeo = (...args: string[]) => run('skopeo', '--insecure-policy', ...args)

describe.skipIf(!needTool('umoci', 'skopeo'))('an image on what umoci made and skopeo saved', () => {
  let envelopes: TestEnvelopes

  beforeAll(async () => {
    envelopes = await testEnvelopes(
      at('app'),
      { 'bin/run.sh': '#!/bin/sh\n', 'lib/text': 'text\n'.repeat(5000) },
      { codec: 'gzip' },
    )
    const [layout, bundle] = [at('umoci'), at('bundle')]
    run('umoci', 'init', '--layout', layout)
    run('umoci', 'new', '--image', `${layout}:base`)
    run('umoci', 'unpack', '--rootless', '--image', `${layout}:base`, bundle)
    fs.mkdirSync(path.join(bundle, 'rootfs/etc'))
    fs.writeFileSync(path.join(bundle, 'rootfs/etc/passwd'), 'web:x:7:7::/:\n')
    run('umoci', 'repack', '--image', `${layout}:base`, bundle)
    run(
      'umoci',
      'config',
      '--image',
      `${layout}:base`,
      '--config.user',
      'web',
      '--config.env',
      'LANG=C',
      '--config.cmd',
      '/bin/sh',
    )
    skopeo('copy', `oci:${layout}:base`, `oci-archive:${at('oci.tar')}:base`)
    skopeo('copy', `oci:${layout}:base`, `docker-archive:${at('docker.tar')}:example.org/small:base`)
    execFileSync('gzip', ['--keep', at('docker.tar')])
    if (hasPodman) {
      podman.run('load', '--input', at('docker.tar'))
      for (const format of ['docker-archive', 'oci-archive']) {
        podman.run('save', '--format', format, '--output', at(`podman-${format}.tar`), 'example.org/small:base')
      }
    }
  })

  async function openArchive(file: string): Promise<BaseImage> {
    const unpacked = at(`unpacked-${file}`)
    await unpackArchive(at(file), unpacked)
    return await readBase({ folder: unpacked, name: file, platforms: ['linux/amd64'] })
  }

  const bases: Readonly<Record<string, () => Promise<BaseImage>>> = {
    'an image layout': () =>
      readBase({ folder: at('umoci'), name: 'umoci', platforms: ['linux/amd64'], reference: 'base' }),
    'an archive of skopeo in OCI’s form': () => openArchive('oci.tar'),
    'an archive of skopeo in Docker’s form': () => openArchive('docker.tar'),
    'the same, compressed': () => openArchive('docker.tar.gz'),
    ...(hasPodman
      ? {
          'an archive of podman in OCI’s form': () => openArchive('podman-oci-archive.tar'),
          'an archive of podman in Docker’s form': () => openArchive('podman-docker-archive.tar'),
        }
      : {}),
  }

  it.each(Object.entries(bases))('is read back by umoci and skopeo: %s', async (name, open) => {
    const base = await open()
    const image = at(`image ${name}`.replaceAll(/\W+/g, '-'))
    const { user: _, ...config } = envelopes.imageOptions.config
    makeImage(envelopes, { folder: image, base, platforms: ['linux/amd64'], config })
    expect(await proveEnvelope(image, envelopes.manifest)).toEqual({ kind: 'oci', added: [] })
    const inspected = JSON.parse(skopeo('inspect', '--config', `oci:${image}:1.0.0`)) as {
      config: object
      history: object[]
    }
    expect(inspected.config).toMatchObject({
      User: 'web',
      Env: ['LANG=C', 'A=1', 'B=2'],
      Entrypoint: ['/opt/app/bin/run.sh'],
    })
    skopeo('copy', '--all', `oci:${image}:1.0.0`, `dir:${image}-dir`)
    skopeo('copy', `oci:${image}:1.0.0`, `docker-archive:${image}.tar:app:1.0.0`)
    // Layers of archives in Docker's form are not compressed, and skopeo compresses them on the way.
    const flags = name.endsWith('Docker’s form') || name.includes('compressed') ? [] : ['--preserve-digests']
    skopeo('copy', '--all', ...flags, `oci:${image}:1.0.0`, `oci:${image}-copy:1.0.0`)
    // umoci knows no index of an image: it gets the image of one platform.
    skopeo('copy', `oci:${image}:1.0.0`, `oci:${image}-plain:1.0.0`)
    run('umoci', 'unpack', '--rootless', '--image', `${image}-plain:1.0.0`, `${image}-bundle`)
    const root = path.join(`${image}-bundle`, 'rootfs')
    expect(fs.readFileSync(path.join(root, 'etc/passwd'), 'utf8')).toBe('web:x:7:7::/:\n')
    expect(fs.readFileSync(path.join(root, 'opt/app/lib/text'), 'utf8')).toBe('text\n'.repeat(5000))
  })
})

describe.skipIf(!hasPodman)('podman', () => {
  it('chooses the image of its architecture, or the one that is asked for', async () => {
    const envelopes = await testEnvelopes(at('two'), { file: 'x' })
    baseLayout(at('two-base'))
    const base = await readBase({ folder: at('two-base'), name: 'base', platforms: ['linux/amd64', 'linux/arm64'] })
    makeImage(envelopes, { base })
    const architecture = (...flags: string[]) => {
      const id = podman
        .run('pull', '--quiet', ...flags, `oci:two/${path.basename(envelopes.imageOptions.folder)}:1.0.0`)
        .trim()
      return podman.run('image', 'inspect', '--format', '{{.Os}}/{{.Architecture}}', id).trim()
    }
    expect(architecture()).toBe(`linux/${process.arch === 'x64' ? 'amd64' : process.arch}`)
    expect(architecture('--arch', 'arm64')).toBe('linux/arm64')
    expect(architecture('--platform', 'linux/amd64')).toBe('linux/amd64')
  })

  describe('runs the image of the recipe notes, on a base with Node', () => {
    beforeAll(() => nodeBase(at('node')))

    it.each(['zstd', 'gzip'] as const)('compressed by %s', async codec => {
      const repository = at(`notes-${codec}`)
      await makeFixtureRepository({ fixture: 'notes', folder: repository })
      const recipe = path.join(repository, 'release.yaml')
      const text = fs.readFileSync(recipe, 'utf8')
      const changed = text
        .replace(
          /^ {2}oci:\n/m,
          `  oci:\n    base: "oci:${at('node/layout')}"\n    platforms: [linux/${process.arch === 'x64' ? 'amd64' : process.arch}]\n`,
        )
        .replace(/^payload:\n/m, `payload:\n  codec: ${codec}\n`)
        .replace(/^tests:\n( {2}.*\n)+/m, '')
      fs.writeFileSync(recipe, changed)
      const environment = {
        ...process.env,
        HOME: at('home'),
        npm_config_cache: path.join(process.env['HOME'] ?? '', '.npm'),
      }
      await lockImages({ cwd: repository, environment, update: false, plainHttp: false }, recordedTools())
      run('git', '-C', repository, 'add', '--all')
      run('git', '-C', repository, 'commit', '--quiet', '--message', 'feat: build on Node')
      await cut({ cwd: repository, environment, snapshot: true, dryRun: false, output: at(codec) }, recordedTools())
      const [version = ''] = fs.readdirSync(at(codec))
      const id = podman.run('pull', '--quiet', `oci:${codec}/${version}/notes-${version}.oci:${version}`).trim()
      const container = podman
        .run('run', '--detach', '--network', 'none', '--read-only', '--cap-drop', 'ALL', id)
        .trim()
      try {
        const health = podman.run('exec', container, 'node', '--eval', askHealth)
        expect(JSON.parse(health)).toMatchObject({ version })
        expect(podman.run('exec', container, 'node', '--print', 'process.getuid()').trim()).toBe('65534')
      } finally {
        process.stderr.write(podman.run('logs', container))
        podman.run('rm', '--force', '--time', '2', container)
      }
    })
  })
})

/** Asks until there is an answer: what starts is not there at once. */
const askHealth = `
const ask = async left => {
  const answer = await fetch('http://127.0.0.1:8080/health').catch(caught => caught)
  if (answer instanceof Response) return console.log(await answer.text())
  if (left === 0) throw answer
  await new Promise(resolve => setTimeout(resolve, 50))
  return ask(left - 1)
}
ask(100)
`
