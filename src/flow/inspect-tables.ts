import { digestOf } from '../core/digest.ts'
import type { Event } from '../core/event.ts'
import { formatBytes } from '../core/quantity.ts'
import { manifestBytes, type PayloadManifest } from '../payload/manifest.ts'
import { isPayloadFile } from '../payload/payload-file.ts'
import type { Inspected } from './inspect-open.ts'

type Table = Omit<Extract<Event, { readonly kind: 'table' }>, 'kind'>
type Rows = Table['rows']

const forms: Readonly<Record<Inspected['kind'], string>> = {
  tarball: 'tarball',
  deb: 'Debian package',
  image: 'image layout',
  manifest: 'payload manifest',
  delta: 'delta pack',
}

/** Say what something is in one or two words. */
export function formOf({ kind }: Inspected): string {
  return forms[kind]
}

/** Word what is known of something: what it is, then what is in it. */
export function inspectTables(inspected: Inspected): readonly Table[] {
  const facts = [['Form', formOf(inspected)], ['Size', sizeText(inspected.sizeBytes)], ...ownFacts(inspected)]
  const payload = 'manifest' in inspected && inspected.manifest !== undefined ? payloadFacts(inspected.manifest) : []
  return [
    { title: '', columns: ['What', 'Value'], rows: facts },
    { title: 'Payload', columns: ['What', 'Value'], rows: payload },
    ...partTables(inspected),
  ].filter(table => table.rows.length > 0)
}

/** List the entries of a payload, a folder with a slash behind it and a link with its target. */
export function entriesTable({ files }: PayloadManifest): Table {
  return {
    title: 'Entries',
    columns: ['Mode', 'Size', 'Digest', 'Path'],
    rows: files.map(entry => {
      if (entry.type === 'symlink') return ['link', '', '', `${entry.path} → ${entry.linkTarget}`]
      const mode = entry.mode.toString(8).padStart(4, '0')
      if (entry.type === 'directory') return [mode, '', '', `${entry.path}/`]
      return [mode, String(entry.sizeBytes), entry.digest.slice('sha256:'.length).slice(0, 12), entry.path]
    }),
  }
}

function ownFacts(inspected: Inspected): Rows {
  switch (inspected.kind) {
    case 'image':
      return [['Digest', inspected.digest]]
    case 'delta': {
      const { delta } = inspected
      return [
        ['Name', delta.name],
        ['From', `${delta.from}, manifest ${delta.fromManifest}`],
        ['To', `${delta.version}, manifest ${delta.toManifest}`],
        ['Encoder', delta.encoder],
        ['Files', `${delta.files.length} made from ${delta.pieces.length} pieces, ${delta.copies.length} copied`],
        ['Content', sizeText(delta.pieces.reduce((sum, { contentSizeBytes }) => sum + contentSizeBytes, 0))],
      ]
    }
    case 'tarball':
    case 'deb':
    case 'manifest':
      return []
  }
}

function payloadFacts(manifest: PayloadManifest): Rows {
  const { name, version, root, codec, segments, files, tar } = manifest
  const content = files.filter(isPayloadFile).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const count = (type: string) => files.filter(entry => entry.type === type).length
  return [
    ['Name', name],
    ['Version', version],
    ['Root', root],
    ['Of', new Date(manifest.sourceDateEpoch * 1000).toISOString()],
    ['Codec', `${codec.name}, level ${codec.level}, by ${codec.encoder}`],
    ['Entries', `${count('file')} files, ${count('directory')} folders, ${count('symlink')} links`],
    ['Content', sizeText(content)],
    ['Segments', `${segments.length} of ${sizeText(manifest.segmentsSizeBytes)}, ${rangeText(manifest)}`],
    ['Tar', `${sizeText(tar.sizeBytes)}, ${tar.digest}`],
    ['Manifest', digestOf(manifestBytes(manifest))],
  ]
}

function partTables(inspected: Inspected): readonly Table[] {
  switch (inspected.kind) {
    case 'deb': {
      const rows = inspected.deb.members.map(({ name, offset, sizeBytes }) => [name, String(offset), String(sizeBytes)])
      return [
        { title: 'Control', columns: ['Field', 'Value'], rows: controlRows(inspected.deb.control) },
        { title: 'Members', columns: ['Member', 'Offset', 'Size'], rows },
      ]
    }
    case 'image': {
      const platforms = inspected.platforms.map(({ platform, digest, layers }) => [platform, digest, String(layers)])
      const referrers = inspected.referrers.map(({ artifactType, digest }) => [artifactType, digest])
      return [
        { title: 'Platforms', columns: ['Platform', 'Manifest', 'Layers'], rows: platforms },
        { title: 'Referrers', columns: ['Type', 'Manifest'], rows: referrers },
      ]
    }
    case 'delta': {
      const { files, copies, bases } = inspected.delta
      const made = files.map(file => ['made', file, ''])
      const copied = copies.map(({ path, base }) => ['copied', path, bases[base]!.path])
      return [{ title: 'Files', columns: ['How', 'Path', 'From'], rows: [...made, ...copied] }]
    }
    case 'tarball':
    case 'manifest':
      return []
  }
}

/** A field's further lines stand below its first. Source: deb-control(5). */
function controlRows(control: string): Rows {
  const lines = control.trimEnd().split('\n')
  return lines.map(line => {
    const colon = /^[ \t]/.test(line) ? -1 : line.indexOf(':')
    return colon < 0 ? ['', line.trim()] : [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
}

/** The exact number is what other tools show, the rounded one what people read. */
function sizeText(sizeBytes: number): string {
  return sizeBytes < 1024 ? `${sizeBytes} B` : `${formatBytes(sizeBytes)} (${sizeBytes} bytes)`
}

function rangeText({ segments }: PayloadManifest): string {
  const sizes = segments.map(({ sizeBytes }) => sizeBytes).sort((a, b) => a - b)
  return `${formatBytes(sizes[0] ?? 0)} to ${formatBytes(sizes.at(-1) ?? 0)} each`
}
