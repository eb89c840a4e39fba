import { gzipSync } from 'node:zlib'
import { digestOf } from '../../src/core/digest.ts'
import { arHeader, arMagic, arPadding } from '../../src/envelope/ar.ts'
import { type SmallEntry, smallTar, smallTarMembers, tarEnd } from '../../src/envelope/small-tar.ts'
import type { DebArtifact } from '../../src/repository/apt/control.ts'

/** A real Debian package, as {@link makeRelease} takes one: it unpacks, and holds one file. */
export interface TinyDeb {
  readonly bytes: Buffer
  readonly control: string
  readonly package: string
  readonly version: string
}

/** Make a package in memory with one file of the given content. Source: deb(5). */
export function tinyDeb(name: string, version: string, content: string): TinyDeb {
  const control = controlText(name, version)
  const members: readonly (readonly [string, Buffer])[] = [
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', tarOf('control', control)],
    ['data.tar.gz', tarOf(`opt/${name}/content`, content)],
  ]
  const parts = members.flatMap(([member, bytes]) => [
    arHeader(member, bytes.byteLength, 0),
    bytes,
    Buffer.from(arPadding(bytes.byteLength)),
  ])
  return { bytes: Buffer.concat([Buffer.from(arMagic), ...parts]), control, package: name, version }
}

/** A package as a release's record lists it. */
export function debArtifact(name: string, version: string): DebArtifact {
  return {
    kind: 'deb',
    name: `${name}_${version}_all.deb`,
    sizeBytes: 7,
    digest: digestOf('package'),
    mediaType: 'application/vnd.debian.binary-package',
    payloadOffset: 0,
    package: name,
    debianVersion: version,
    architecture: 'all',
    control: controlText(name, version),
  }
}

/** A minimal control file. */
export function controlText(name: string, version: string): string {
  return [
    `Package: ${name}`,
    `Version: ${version}`,
    'Architecture: all',
    'Maintainer: Ada <ada@example.org>',
    `Description: the ${name} service`,
    ' It keeps notes.',
    '',
  ].join('\n')
}

function tarOf(path: string, content: string): Buffer {
  const entry: SmallEntry = { type: 'file', path, mode: 0o644, bytes: Buffer.from(content) }
  return gzipSync(Buffer.concat([smallTar(smallTarMembers([entry]), 0), tarEnd]))
}
