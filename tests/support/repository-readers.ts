import fs from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { digestOf } from '../../src/core/digest.ts'
import { filesOf } from '../../src/repository/dist.ts'
import { openRepository, pinRoot, type TrustedRepository } from '../../src/trust/client.ts'
import type { MadeRepository } from './made-repository.ts'
import { tempFolder } from './temp.ts'

/*
 * Readers of a repository's folder, each on its own way from what it reads first to the bytes: installers (with the real client), apt,
 * whoever pulls images, pip, and a browser. Each throws when something that it is led to is not there or is something else.
 */

/** How many publications back a reader may be in the middle of following what it has read: what apt's by-hash keeps. */
const keptPublications = 3

type Place = Pick<MadeRepository, 'folder' | 'url' | 'fingerprint'>

/** Read the versions of an application as a new installer does. */
export async function readVersions(repository: Place, application = 'notes'): Promise<readonly string[]> {
  const { releases } = await (await newInstaller(repository)).index(application)
  return releases.map(({ version }) => version)
}

/** Read all there is, in every way. */
export async function assertReadable(repository: Place, applications: readonly string[] = ['notes']): Promise<void> {
  const readers = readersOf(repository, await newInstaller(repository), applications)
  for (const read of Object.values(readers)) await read()
}

/** Read in every way again and again until a promise settles. Post: the number of rounds that came to their end. */
export async function readUntil(
  ended: Promise<unknown>,
  repository: Place,
  applications: readonly string[],
): Promise<number> {
  let isEnded = false
  const end = () => {
    isEnded = true
  }
  ended.then(end, end)
  const readers = readersOf(repository, await newInstaller(repository), applications)
  let rounds = 0
  do {
    for (const [who, read] of Object.entries(readers)) await readFollowing(repository, who, read)
    rounds += 1
    // Those who publish are waited for in this process.
    await new Promise(resolve => setImmediate(resolve))
  } while (!isEnded)
  return rounds
}

async function readFollowing(repository: Place, who: string, read: Reader): Promise<void> {
  const before = publicationOf(repository)
  try {
    await read()
  } catch (caught) {
    // Whoever is slower than so many publications has to begin again.
    if (publicationOf(repository) - before < keptPublications)
      throw new Error(`${who} found a mixture`, { cause: caught })
  }
}

function publicationOf({ folder }: Place): number {
  return JSON.parse(fs.readFileSync(path.join(folder, 'metadata/timestamp.json'), 'utf8')).signed.version
}

type Reader = () => Promise<void> | void

function readersOf(
  repository: Place,
  installer: TrustedRepository,
  applications: readonly string[],
): Readonly<Record<string, Reader>> {
  const files = new FileReader(repository.folder)
  return {
    'an installer': () => readAsInstaller(installer, files, applications),
    apt: () => readAsApt(files),
    'whoever pulls images': () => {
      for (const application of applications) readAsRegistry(files, application)
    },
    pip: () => readAsPip(files),
    'a browser': () => readAsBrowser(files),
  }
}

async function newInstaller({ url, fingerprint }: Place): Promise<TrustedRepository> {
  const folder = path.join(tempFolder(), 'trust')
  await pinRoot({ folder, repositoryUrl: url, fingerprint })
  return openRepository({ folder, repositoryUrl: url })
}

/** Files with the digests that somebody was told of. Those of the pool never change, so each is digested once. */
class FileReader {
  readonly folder: string
  readonly #sound = new Set<string>()

  constructor(folder: string) {
    this.folder = folder
  }

  text(key: string): string {
    return fs.readFileSync(path.join(this.folder, key), 'utf8')
  }

  bytes(key: string, sha256: string): Buffer {
    const bytes = fs.readFileSync(path.join(this.folder, key))
    if (digestOf(bytes) !== `sha256:${sha256}`) throw new Error(`${key} is ${digestOf(bytes)}, expected ${sha256}`)
    return bytes
  }

  check(key: string, sha256: string): void {
    if (this.#sound.has(`${key} ${sha256}`)) return
    this.bytes(key, sha256)
    this.#sound.add(`${key} ${sha256}`)
  }
}

async function readAsInstaller(client: TrustedRepository, files: FileReader, applications: readonly string[]) {
  await client.refresh()
  for (const application of applications) {
    const { releases, channels } = await client.index(application)
    for (const { version } of releases) {
      const { record } = await client.record(application, version)
      for (const { key, digest } of filesOf(record)) files.check(key, digest.slice('sha256:'.length))
    }
    for (const channel of Object.keys(channels)) {
      const offered = (await client.channel(application, channel))?.release
      if (offered !== undefined && !releases.some(({ version }) => version === offered.version)) {
        throw new Error(`${channel} offers ${application} ${offered.version}, which is not listed`)
      }
    }
  }
}

/** Source: deb822(5), Debian Repository Format, Acquire-By-Hash. */
function readAsApt(files: FileReader): void {
  for (const suite of fs.readdirSync(path.join(files.folder, 'dists'))) {
    const release = files.text(`dists/${suite}/InRelease`)
    const listed = [...release.matchAll(/^ ([0-9a-f]{64}) +\d+ (\S+)\/Packages\.gz$/gm)]
    if (listed.length === 0) throw new Error(`${suite} lists no index`)
    for (const [, sha256, folder] of listed) {
      const packages = gunzipSync(files.bytes(`dists/${suite}/${folder}/by-hash/SHA256/${sha256}`, sha256!)).toString()
      const names = [...packages.matchAll(/^Filename: (.+)$/gm)]
      const digests = [...packages.matchAll(/^SHA256: (.+)$/gm)]
      for (const [at, [, name]] of names.entries()) files.check(name!, digests[at]![1]!)
    }
  }
}

/** Source: OCI image-spec, Image Layout Specification. */
function readAsRegistry(files: FileReader, application: string): void {
  const left = [files.text(`oci/${application}/index.json`)]
  const seen = new Set<string>()
  for (let text = left.pop(); text !== undefined; text = left.pop()) {
    const { manifests = [], config, layers = [] } = JSON.parse(text)
    for (const { digest, mediaType } of [...manifests, ...(config === undefined ? [] : [config]), ...layers]) {
      if (seen.has(digest)) continue
      seen.add(digest)
      const sha256 = digest.slice('sha256:'.length)
      const key = `oci/${application}/blobs/sha256/${sha256}`
      files.check(key, sha256)
      if (/(manifest|index)/.test(mediaType)) left.push(files.text(key))
    }
  }
}

/** Source: PEP 503. */
function readAsPip(files: FileReader): void {
  for (const project of linksOf(files, 'simple/index.html')) {
    for (const link of linksOf(files, project)) {
      const [key, sha256] = link.split('#sha256=')
      files.check(key!, sha256!)
    }
  }
}

function readAsBrowser(files: FileReader): void {
  const left = ['index.html']
  const seen = new Set(left)
  for (let page = left.pop(); page !== undefined; page = left.pop()) {
    for (const link of linksOf(files, page)) {
      const key = link.replace(/#.*$/, '')
      if (seen.has(key)) continue
      seen.add(key)
      if (key.endsWith('.html')) left.push(key)
      else fs.accessSync(path.join(files.folder, key))
    }
  }
}

/** The keys that a page links to, with fragments. */
function linksOf(files: FileReader, page: string): readonly string[] {
  const links = [...files.text(page).matchAll(/<a [^>]*?href="([^"]+)"/g)].map(match => match[1]!)
  return links.flatMap(link => {
    const url = new URL(link.replaceAll('&amp;', '&'), `repository:///${page}`)
    if (url.protocol !== 'repository:') return []
    const key = decodeURIComponent(url.pathname.slice(1))
    return [`${key}${key === '' || key.endsWith('/') ? 'index.html' : ''}${url.hash}`]
  })
}
