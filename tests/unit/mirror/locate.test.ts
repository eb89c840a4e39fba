import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../src/core/digest.ts'
import { openMirror } from '../../../src/mirror/open.ts'
import { parsePlace } from '../../../src/mirror/place.ts'
import type { Artifact } from '../../../src/payload/release-record.ts'
import { codeOfAsync } from '../../support/codes.ts'
import { manifestOf, wantedOf } from '../../support/wanted.ts'

const digest = digestOf('tarball')
const tarball: Artifact = {
  kind: 'tarball',
  name: 'app-1.0.0.tar.zst',
  mediaType: 'application/zstd',
  sizeBytes: 10,
  digest,
  payloadOffset: 6,
}
const deb: Artifact = {
  kind: 'deb',
  name: 'libapp_1:1.0.0~rc.1+b2_all.deb',
  mediaType: 'application/vnd.debian.binary-package',
  sizeBytes: 10,
  digest: digestOf('deb'),
  payloadOffset: 600,
  package: 'libapp',
  debianVersion: '1:1.0.0~rc.1+b2',
  architecture: 'all',
  control: 'Package: libapp\nVersion: 1:1.0.0~rc.1+b2\nArchitecture: all\n',
}
const manifest = manifestOf(Buffer.from('manifest'))
const image: Artifact = {
  kind: 'oci',
  name: 'app-1.0.0.oci',
  mediaType: 'application/vnd.oci.image.index.v1+json',
  sizeBytes: 10,
  digest: digestOf('image'),
  blobs: [tarball, manifest].map(({ digest: blob, sizeBytes, mediaType }) => ({ digest: blob, sizeBytes, mediaType })),
}

const open = (place: string, environment: Readonly<Record<string, string>> = {}) =>
  openMirror(parsePlace(place), { environment, warn: () => {}, signal: new AbortController().signal })
const namesAt = async (place: string, artifact: Artifact, siblings: readonly Artifact[] = [], tag?: string) =>
  (await open(place)).locate(wantedOf(artifact, siblings, tag)).map(({ name }) => name)

describe('a copy of the repository', () => {
  it('has every artifact in its pool, and a tarball among the blobs of images', async () => {
    expect(await namesAt('https://a.example/vendor', tarball)).toEqual([
      'https://a.example/vendor/pool/app/1.0.0/app-1.0.0.tar.zst',
      `https://a.example/vendor/oci/app/blobs/sha256/${hexOf(digest)}`,
    ])
    expect(await namesAt('s3://bucket/vendor', manifest)).toEqual([
      's3://bucket/vendor/pool/app/1.0.0/app-1.0.0.manifest.zst',
    ])
  })

  it.each([
    ['/srv/vendor', true],
    ['http://127.0.0.1/vendor', false],
    ['s3://bucket/vendor', false],
  ])('%s is on this machine: %s', async (place, isLocal) => {
    expect((await open(place)).locate(wantedOf(manifest)).map(location => location.isLocal)).toEqual([isLocal])
  })
})

describe('an apt mirror', () => {
  it('has packages alone, by the name in our indexes and by the names that Debian would give', async () => {
    expect(await namesAt('apt:https://deb.example', tarball)).toEqual([])
    expect(await namesAt('apt:https://deb.example', deb)).toEqual([
      'https://deb.example/pool/app/1.0.0/libapp_1%3A1.0.0~rc.1%2Bb2_all.deb',
      'https://deb.example/pool/main/liba/libapp/libapp_1.0.0~rc.1%2Bb2_all.deb',
      'https://deb.example/pool/app/liba/libapp/libapp_1.0.0~rc.1%2Bb2_all.deb',
    ])
  })

  it('has them below the name of their source', async () => {
    const built = { ...deb, control: `Source: apps (1.0.0)\n${deb.kind === 'deb' ? deb.control : ''}` }
    const [, debian] = await namesAt('apt:https://deb.example', built)
    expect(debian).toBe('https://deb.example/pool/main/a/apps/libapp_1.0.0~rc.1%2Bb2_all.deb')
  })

  it('is asked for no path that a control file makes up', async () => {
    const planted = { ...deb, control: 'Source: ../../etc\n' }
    const [, debian] = await namesAt('apt:https://deb.example', planted)
    expect(debian).toContain('/pool/main/liba/libapp/')
  })
})

describe('a registry', () => {
  it('has what is a blob of the image, by its digest', async () => {
    const place = 'oci://r.example/team'
    expect(await namesAt(place, tarball, [image])).toEqual([`oci://r.example/team/app@${digest}`])
    expect(await namesAt(place, manifest, [image])).toEqual([`oci://r.example/team/app@${manifest.digest}`])
    expect(await namesAt(place, deb, [image])).toEqual([])
    expect(await namesAt(place, tarball)).toEqual([])
  })
})

describe('releases at GitHub', () => {
  it('have the assets of a tag, as GitHub calls them', async () => {
    expect(await namesAt('github:ada/notes', deb, [], 'v1.0.0')).toEqual([
      'https://github.com/ada/notes/releases/download/v1.0.0/libapp_1.1.0.0.rc.1%2Bb2_all.deb',
    ])
    expect(await namesAt('github:ada/notes', tarball)).toEqual([])
    expect(await namesAt('github:ada/notes', image, [], 'v1.0.0')).toEqual([])
  })

  it('are at the server that the environment names', async () => {
    const mirror = await open('github:ada/notes', { GITHUB_SERVER_URL: 'https://git.example/' })
    const [location] = mirror.locate(wantedOf(tarball, [], 'v1.0.0'))
    expect(location?.name).toBe('https://git.example/ada/notes/releases/download/v1.0.0/app-1.0.0.tar.zst')
  })

  it.each([
    ['GITHUB_SERVER_URL', 'http://git.example'],
    ['GITHUB_API_URL', 'https://user:pass@git.example'],
    ['GITHUB_API_URL', 'git.example'],
  ])('are nowhere when %s is %s', async (name, value) => {
    expect(await codeOfAsync(open('github:ada/notes', { [name]: value }))).toBe('MIRROR_INVALID')
  })
})
