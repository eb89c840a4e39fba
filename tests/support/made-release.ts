import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { canonicalJson } from '../../src/core/canonical-json.ts'
import { digestOf, hexOf } from '../../src/core/digest.ts'
import { debianVersion } from '../../src/core/version.ts'
import { createProvenance } from '../../src/evidence/provenance.ts'
import { type Artifact, type OciBlob, type ReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import { tinyDeb } from './tiny-deb.ts'

/** What a release made by hand is like. */
export interface MadeRelease {
  readonly distFolder: string
  readonly name?: string
  readonly version: string
  /** Absent: a snapshot. */
  readonly tag?: string
  readonly tree?: string
  readonly changes?: string
  /** Bytes that make this release different from others. */
  readonly content?: string
  /** A real package to ship instead of bytes that only look like one. */
  readonly deb?: {
    readonly bytes: Buffer
    readonly control: string
    readonly package: string
    readonly version: string
  }
  /** With an SBOM and a provenance. */
  readonly evidence?: boolean
  /** With a Python distribution: a real one, or bytes that only look like a source distribution. */
  readonly python?: boolean | { readonly name: string; readonly project: string; readonly bytes: Buffer }
}

/**
 * Write a small release as `cut` leaves it: a tarball, an image whose layer is the tarball, a package, a manifest.
 *
 * The tarball is a real tar and the image a real image; package and manifest are only bytes unless given.
 */
export function makeRelease(made: MadeRelease): ReleaseRecord {
  const { version, name = 'notes' } = made
  const folder = path.join(made.distFolder, version)
  const write = (file: string, bytes: Buffer) => {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    fs.writeFileSync(path.join(folder, file), bytes)
    return { sizeBytes: bytes.byteLength, digest: digestOf(bytes) }
  }
  const content = made.content ?? `${name} ${version}`
  const tar = oneFileTar('opt/content', content)
  const tarballName = `${name}-${version}.tar.gz`
  const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip'
  const tarball = write(tarballName, gzipSync(tar))
  const deb = made.deb ?? tinyDeb(name, debianVersion(version), content)
  const debName = `${deb.package}_${deb.version}_all.deb`
  const artifacts: Artifact[] = [
    { kind: 'tarball', name: tarballName, mediaType: layerType, payloadOffset: 0, ...tarball },
    {
      kind: 'deb',
      name: debName,
      mediaType: 'application/vnd.debian.binary-package',
      payloadOffset: 0,
      package: deb.package,
      debianVersion: deb.version,
      architecture: 'all',
      control: deb.control,
      ...write(debName, deb.bytes),
    },
    {
      kind: 'manifest',
      name: `${name}-${version}.manifest.json`,
      mediaType: 'application/json',
      ...write(`${name}-${version}.manifest.json`, Buffer.from(canonicalJson({ content }))),
    },
    writeImage(
      `${name}-${version}.oci`,
      { tar, layer: { ...tarball, mediaType: layerType, sameAs: tarballName } },
      write,
    ),
  ]
  if (made.python !== undefined && made.python !== false) {
    const sdist = {
      name: `${name}-${version}.sdist.tar.gz`,
      project: name.toUpperCase(),
      bytes: gzipSync(`a source distribution of ${content}`),
    }
    const { bytes, ...python } = made.python === true ? sdist : made.python
    const { name: file } = python
    artifacts.push({
      kind: 'python',
      ...python,
      requiresPython: '>=3.9',
      mediaType: 'application/gzip',
      ...write(file, bytes),
    })
  }
  const commit = digestOf(content).slice(7, 47)
  if (made.evidence === true) artifacts.push(...makeEvidence({ name, version, commit, artifacts }, write))
  const record: ReleaseRecord = {
    schema: 1,
    name,
    version,
    summary: `The ${name} service`,
    licence: 'Apache-2.0',
    maintainer: 'Ada <ada@example.org>',
    commit,
    tree: made.tree ?? digestOf(`tree of ${content}`).slice(7, 47),
    ...(made.tag === undefined ? {} : { tag: made.tag }),
    sourceDateEpoch: 1_700_000_000,
    toolVersion: '0.1.0',
    recipeDigest: digestOf('recipe'),
    changes: made.changes ?? '- something\n',
    components: [{ name, artifacts }],
  }
  write('release.json', recordBytes(record))
  return record
}

function makeEvidence(
  release: Pick<ReleaseRecord, 'name' | 'version' | 'commit'> & { readonly artifacts: readonly Artifact[] },
  write: Write,
): readonly Artifact[] {
  const { name, version } = release
  const component = { type: 'application', name, version }
  const bill = { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, metadata: { component }, components: [] }
  const sbom: Artifact = {
    kind: 'sbom',
    name: `${name}-${version}.cdx.json`,
    mediaType: 'application/vnd.cyclonedx+json',
    ...write(`${name}-${version}.cdx.json`, Buffer.from(JSON.stringify(bill))),
  }
  const statement = createProvenance({
    ...release,
    artifacts: [...release.artifacts, sbom],
    tree: 'b'.repeat(40),
    recipeDigest: digestOf('recipe'),
    sourceDateEpoch: 1_700_000_000,
    commands: { tests: [], build: [] },
    encoders: [],
    materials: [],
  })
  const provenance: Artifact = {
    kind: 'provenance',
    name: `${name}-${version}.provenance.json`,
    mediaType: 'application/vnd.in-toto+json',
    ...write(`${name}-${version}.provenance.json`, statement),
  }
  return [sbom, provenance]
}

type Write = (file: string, bytes: Buffer) => Pick<Artifact, 'sizeBytes' | 'digest'>

function writeImage(
  folder: string,
  parts: { tar: Buffer; layer: OciBlob | Omit<OciBlob, never> },
  write: Write,
): Artifact {
  const blob = (document: unknown, mediaType: string): OciBlob => {
    const bytes = Buffer.from(canonicalJson(document))
    return { ...write(`${folder}/blobs/sha256/${hexOf(digestOf(bytes))}`, bytes), mediaType }
  }
  const descriptor = ({ digest, sizeBytes, mediaType }: OciBlob) => ({ mediaType, digest, size: sizeBytes })
  const config = blob(
    {
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [digestOf(parts.tar)] },
    },
    'application/vnd.oci.image.config.v1+json',
  )
  const manifestType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = blob(
    { schemaVersion: 2, mediaType: manifestType, config: descriptor(config), layers: [descriptor(parts.layer)] },
    manifestType,
  )
  const indexType = 'application/vnd.oci.image.index.v1+json'
  const index = blob(
    {
      schemaVersion: 2,
      mediaType: indexType,
      manifests: [{ ...descriptor(manifest), platform: { architecture: 'amd64', os: 'linux' } }],
    },
    indexType,
  )
  const { sizeBytes, digest, mediaType } = index
  return { kind: 'oci', name: folder, sizeBytes, digest, mediaType, blobs: [parts.layer, config, manifest] }
}

/** A tar with one file. Source: POSIX ustar. */
function oneFileTar(name: string, content: string): Buffer {
  const body = Buffer.from(content)
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${body.byteLength.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.byteLength % 512)) % 512), Buffer.alloc(1024)])
}
