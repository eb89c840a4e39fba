import fs from 'node:fs'
import path from 'node:path'
import { digestOf } from '../../src/core/digest.ts'
import { renderStanza } from '../../src/repository/apt/control.ts'
import { renderSources } from '../../src/repository/apt/sources.ts'
import type { AptPackage } from '../../src/repository/apt/state.ts'
import { answerRepository } from '../../src/repository/serve/answer.ts'
import { execute } from '../../src/sys/exec.ts'
import { ServedFolder } from '../../src/sys/served-folder.ts'
import { type StaticServer, startServer } from '../../src/sys/static-server.ts'
import type { AptSettings } from '../../src/trust/layout.ts'
import { type MadeSuites, makeSuites, type PackageChange } from './apt-suite.ts'
import { tempFolder } from './temp.ts'

/** Suites with real packages, in a folder that is served. */
export interface AptArchive {
  readonly folder: string
  readonly suites: MadeSuites
  readonly url: string
  /** `STATUS PATH` of what was asked for so far. */
  readonly requests: string[]
  /** Change a suite, and the folder with it. */
  publish(suite: string, change: PackageChange): Promise<void>
  /** What a client of a suite has among its sources. */
  sources(suite: string, options?: { readonly components?: readonly string[]; readonly url?: string }): string
  readonly close: () => Promise<void>
}

/** Make an archive that lists nothing, and serve it. */
export async function serveArchive(
  apt: Partial<AptSettings> = {},
  { nowMs = Date.now() }: { readonly nowMs?: number } = {},
): Promise<AptArchive> {
  const folder = tempFolder()
  const suites = await makeSuites(apt, nowMs)
  const requests: string[] = []
  const server: StaticServer = await startServer(answerRepository(new ServedFolder(folder)), {
    host: '127.0.0.1',
    port: 0,
    onRequest: request => void requests.push(`${request.status} ${request.path}`),
  })
  suites.description = { ...suites.description, url: server.url }
  return {
    folder,
    suites,
    url: server.url,
    requests,
    async publish(suite, change) {
      const { obsolete } = await suites.publish(suite, change)
      suites.writeTo(folder)
      // As if publications were not made within one second, as they are here: apt asks for what is newer by whole seconds.
      const seconds = suites.states.get(suite)!.dateMs / 1000
      fs.utimesSync(path.join(folder, 'dists', suite, 'InRelease'), seconds, seconds)
      for (const key of obsolete) fs.rmSync(path.join(folder, key), { force: true })
    },
    sources: (suite, { components = ['main'], url = server.url } = {}) =>
      renderSources({ ...suites.description, url }, suite, components),
    close: () => server.close(),
  }
}

/** A package that dpkg can install: its version in a file under /opt. Built by dpkg-deb, put into the pool of an archive. */
export async function buildDeb(
  archive: Pick<AptArchive, 'folder'>,
  name: string,
  version: string,
  { architecture = 'amd64', component = 'main' }: Partial<Pick<AptPackage, 'architecture' | 'component'>> = {},
): Promise<AptPackage> {
  const tree = path.join(tempFolder(), name)
  const control = `Package: ${name}
Version: ${version}
Architecture: ${architecture}
Maintainer: Vendor <vendor@example.com>
Section: web
Description: ${name} for tests
`
  fs.mkdirSync(path.join(tree, 'DEBIAN'), { recursive: true })
  fs.writeFileSync(path.join(tree, 'DEBIAN/control'), control)
  fs.mkdirSync(path.join(tree, 'opt', name), { recursive: true })
  fs.writeFileSync(path.join(tree, 'opt', name, 'version'), version)
  const file = `${name}_${version}_${architecture}.deb`
  const filename = `pool/${name}/${version}/${file}`
  const place = path.join(archive.folder, filename)
  fs.mkdirSync(path.dirname(place), { recursive: true })
  await execute(['dpkg-deb', '--root-owner-group', '-Zgzip', '--build', tree, place])
  const bytes = fs.readFileSync(place)
  const deb = {
    kind: 'deb' as const,
    name: file,
    sizeBytes: bytes.byteLength,
    digest: digestOf(bytes),
    mediaType: 'application/vnd.debian.binary-package',
    payloadOffset: 0,
    package: name,
    debianVersion: version,
    architecture,
    control,
  }
  const files = [`opt/${name}/version`]
  return { component, architecture, package: name, version, stanza: renderStanza(deb, filename), files }
}
