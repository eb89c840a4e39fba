import path from 'node:path'
import { ComponentType, ExternalReferenceType } from '@cyclonedx/cyclonedx-library/Enums'
import {
  Component,
  ExternalReference,
  ExternalReferenceRepository,
  LicenseRepository,
} from '@cyclonedx/cyclonedx-library/Models'
import type { Findings, FoundPackage } from './found.ts'
import { parseLicence } from './licence.ts'
import type { PayloadView } from './payload-view.ts'
import { packageUrl } from './purl.ts'
import { isPythonArchive, readArchiveMetadata } from './python-archive.ts'
import { normalisedName, type PythonMetadata, parsePythonMetadata } from './python-metadata.ts'

interface Distribution extends FoundPackage {
  readonly metadata: PythonMetadata
  /** The folder that it lies in with the others: site-packages, or a folder of wheels. */
  readonly shelf: string
}

/** Find the Python distributions of a payload: installed ones (dist-info, egg-info), wheels and source distributions. */
export async function findPythonPackages(view: PayloadView): Promise<Findings> {
  const found = [...findInstalled(view), ...(await findArchives(view))]
  for (const { metadata, component, shelf } of found) {
    for (const name of metadata.requires) {
      const required = nearest(found, name, shelf)
      if (required !== undefined && required !== component) component.dependencies.add(required.bomRef)
    }
  }
  return { packages: found, wanted: [] }
}

function findInstalled(view: PayloadView): readonly Distribution[] {
  return view.files('.dist-info/METADATA', '.egg-info/PKG-INFO', '.egg-info').flatMap(file => {
    const metadata = view.attempt(file.path, () => {
      const text = view.text(file)
      return text === undefined ? undefined : parsePythonMetadata(text)
    })
    if (metadata === undefined) return []
    const place = file.path.endsWith('.egg-info') ? file.path : path.posix.dirname(file.path)
    const shelf = path.posix.dirname(place)
    const folder = place === file.path ? {} : { folder: place }
    const files = recordedFiles(view.textAt(`${place}/RECORD`), shelf).filter(owned => view.has(owned))
    return [{ component: makeComponent(metadata, place), metadata, shelf, files, ...folder }]
  })
}

async function findArchives(view: PayloadView): Promise<readonly Distribution[]> {
  const found: Distribution[] = []
  for (const file of view.files('.whl', '.tar.gz', '.zip').filter(({ path: name }) => isPythonArchive(name))) {
    const metadata = await view.attemptLater(file.path, async () => {
      const text = await readArchiveMetadata(file.source)
      return text === undefined ? undefined : parsePythonMetadata(text)
    })
    if (metadata === undefined) continue
    const component = makeComponent(metadata, file.path)
    found.push({ component, metadata, shelf: path.posix.dirname(file.path), archive: file.path })
  }
  return found
}

function makeComponent(metadata: PythonMetadata, place: string): Component {
  const { name, version, summary, homepage, author, licences } = metadata
  return new Component(ComponentType.Library, name, {
    version,
    bomRef: place,
    purl: packageUrl({ type: 'pypi', name: normalisedName(name), version }),
    licenses: new LicenseRepository(licences.flatMap(licence => parseLicence(licence) ?? [])),
    ...(summary === undefined ? {} : { description: summary }),
    ...(author === undefined ? {} : { author }),
    ...(homepage === undefined
      ? {}
      : {
          externalReferences: new ExternalReferenceRepository([
            new ExternalReference(homepage, ExternalReferenceType.Website),
          ]),
        }),
  })
}

/** A distribution of the same shelf comes first; of several forms, the one that is listed first, which is never an archive before an installed one. */
function nearest(found: readonly Distribution[], name: string, shelf: string): Component | undefined {
  const named = found.filter(({ metadata }) => normalisedName(metadata.name) === name)
  return (named.find(each => each.shelf === shelf) ?? named[0])?.component
}

/** The files that an installed distribution says are its own. Source: PEP 376, PEP 627 (CSV, paths relative to site-packages). */
function recordedFiles(record: string | undefined, shelf: string): readonly string[] {
  if (record === undefined) return []
  return record.split(/\r?\n/).flatMap(line => {
    const quoted = /^"((?:[^"]|"")*)"/.exec(line)?.[1]?.replaceAll('""', '"')
    const name = quoted ?? line.split(',', 1)[0] ?? ''
    return name === '' || name.startsWith('/') ? [] : [path.posix.join(shelf, name)]
  })
}
