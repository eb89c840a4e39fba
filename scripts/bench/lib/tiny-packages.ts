import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Digest, digestOf } from '../../../src/core/digest.ts'
import { debianVersion } from '../../../src/core/version.ts'
import { arHeader, arMagic, arPadding } from '../../../src/envelope/ar.ts'
import { type SmallEntry, smallTar, smallTarMembers, tarEnd } from '../../../src/envelope/small-tar.ts'
import { type Artifact, type ReleaseRecord, recordBytes } from '../../../src/payload/release-record.ts'

/** When everything in the packages was made: 2026-01-01. */
const sourceDateEpoch = 1_767_225_600

/** A release of tiny packages that is to be made. */
export interface TinyRelease {
  readonly application: string
  readonly version: string
  /** The first of its packages: names are numbered through the whole repository. */
  readonly first: number
  readonly packages: number
}

/** Make a release as `cut` leaves it, in a folder: real packages of about a kilobyte, each with a text of usual length, and the record. */
export function makeTinyRelease(folder: string, release: TinyRelease): { record: ReleaseRecord; bytes: Buffer } {
  fs.mkdirSync(folder, { recursive: true })
  const artifacts = Array.from({ length: release.packages }, (_, at) =>
    makePackage(folder, release.first + at, release.version),
  )
  const digest = digestOf(`${release.application} ${release.version}`).slice(7, 47)
  const record: ReleaseRecord = {
    schema: 1,
    name: release.application,
    version: release.version,
    summary: `The service ${release.application}`,
    licence: 'Apache-2.0',
    maintainer: 'Bench <bench@example.org>',
    commit: digest,
    tree: digest,
    sourceDateEpoch,
    toolVersion: '0.1.0',
    recipeDigest: digestOf('recipe'),
    changes: '- something\n',
    components: [{ name: release.application, artifacts }],
  }
  const bytes = recordBytes(record)
  fs.writeFileSync(path.join(folder, 'release.json'), bytes)
  return { record, bytes }
}

function makePackage(folder: string, number: number, version: string): Artifact {
  const name = `bench-${String(number).padStart(5, '0')}`
  const control = `Package: ${name}
Version: ${debianVersion(version)}
Architecture: all
Maintainer: Bench <bench@example.org>
Installed-Size: 1
Depends: libc6 (>= 2.36)
Section: misc
Priority: optional
Homepage: https://example.org/${name}
Description: package number ${number} of a benchmark
 A tiny package, made to be indexed. Its text is of a usual length, so that
 the index has a usual size: about half a kilobyte for each package.
`
  const readme = `usr/share/doc/${name}/README`
  const bytes = debOf([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', tarOf('control', control)],
    ['data.tar.gz', tarOf(readme, `package ${name}\n`)],
  ])
  const file = `${name}_${debianVersion(version)}_all.deb`
  fs.writeFileSync(path.join(folder, file), bytes)
  return {
    kind: 'deb',
    name: file,
    mediaType: 'application/vnd.debian.binary-package',
    payloadOffset: 0,
    package: name,
    debianVersion: debianVersion(version),
    architecture: 'all',
    control,
    sizeBytes: bytes.byteLength,
    digest: digestOf(bytes) satisfies Digest,
  }
}

function debOf(members: readonly (readonly [string, Buffer])[]): Buffer {
  const parts = members.flatMap(([name, bytes]) => [
    arHeader(name, bytes.byteLength, sourceDateEpoch),
    bytes,
    Buffer.from(arPadding(bytes.byteLength)),
  ])
  return Buffer.concat([Buffer.from(arMagic), ...parts])
}

function tarOf(file: string, content: string): Buffer {
  const entry: SmallEntry = { type: 'file', path: file, mode: 0o644, bytes: Buffer.from(content) }
  return gzipSync(Buffer.concat([smallTar(smallTarMembers([entry]), sourceDateEpoch), tarEnd]), { level: 1 })
}
