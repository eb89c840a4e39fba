import fs from 'node:fs'
import path from 'node:path'
import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'

/** A Python distribution that a build made, copied beside the release. */
export interface PythonFile {
  readonly name: string
  readonly sizeBytes: number
  readonly digest: Digest
  readonly mediaType: string
  readonly project: string
  readonly requiresPython?: string
}

/** What the name of a distribution says. */
interface DistributionName {
  readonly project: string
  readonly version: string
}

/**
 * Copy the wheels and source distributions in some folders of a built checkout to `folder`.
 *
 * Post: sorted by name. Which Python a project needs is read from its source distribution and holds for its wheels.
 * Errors: BUILD_PYTHON (a folder without any, one name twice), FILE_IO.
 */
export async function collectPython(
  checkout: string,
  folders: readonly string[],
  folder: string,
): Promise<readonly PythonFile[]> {
  const files = folders.flatMap(name => distributionsIn(checkout, name))
  files.sort((a, b) => compareBytes(path.basename(a), path.basename(b)))
  const requirements = await readRequirements(files)
  const collected = new Map<string, PythonFile>()
  for (const file of files) {
    const name = path.basename(file)
    if (collected.has(name))
      throw new ReleaseError('BUILD_PYTHON', `${name} is in two of the folders ${folders.join(', ')}`, {
        details: { name },
      })
    const bytes = read(file)
    fs.writeFileSync(path.join(folder, name), bytes)
    const { project, version } = parseName(name)!
    const requiresPython = requirements.get(`${project} ${version}`)
    collected.set(name, {
      name,
      sizeBytes: bytes.byteLength,
      digest: digestOf(bytes),
      mediaType: name.endsWith('.whl') ? 'application/zip' : 'application/gzip',
      project,
      ...(requiresPython === undefined ? {} : { requiresPython }),
    })
  }
  return [...collected.values()]
}

/**
 * Refuse a distribution that an earlier release has under the same name with other bytes: an index of packages never replaces a file.
 *
 * Errors: BUILD_PYTHON.
 */
export function assertUnchanged(
  files: readonly PythonFile[],
  earlier: { readonly version: string; readonly files: readonly Pick<PythonFile, 'name' | 'digest'>[] },
): void {
  const published = new Map(earlier.files.map(file => [file.name, file.digest]))
  const changed = files.find(({ name, digest }) => published.has(name) && published.get(name) !== digest)
  if (changed === undefined) return
  throw new ReleaseError('BUILD_PYTHON', `${changed.name} has other bytes than in ${earlier.version}`, {
    hint: 'raise its version if it changed; else let its build depend on its own sources alone (a SOURCE_DATE_EPOCH of its own)',
    details: { name: changed.name, version: earlier.version },
  })
}

/** Read project and version from a file name; undefined when it is no distribution. Source: packaging.python.org, binary-distribution-format and source-distribution-format. */
export function parseName(name: string): DistributionName | undefined {
  const match =
    /^([A-Za-z0-9._]+)-([^-]+)(-[^-]+)?-[^-]+-[^-]+-[^-]+\.whl$/.exec(name) ??
    /^(.+)-([^-]+)\.(?:tar\.gz|zip)$/.exec(name)
  return match === null ? undefined : { project: normalize(match[1]!), version: match[2]! }
}

function distributionsIn(checkout: string, name: string): readonly string[] {
  const folder = path.join(checkout, name)
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : []
  const found = names.filter(file => parseName(file) !== undefined).map(file => path.join(folder, file))
  if (found.length > 0) return found
  throw new ReleaseError('BUILD_PYTHON', `${name} holds no wheel and no source distribution after the build`, {
    details: { path: name },
  })
}

async function readRequirements(files: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const requirements = new Map<string, string>()
  for (const file of files.filter(name => name.endsWith('.tar.gz'))) {
    const metadata = await readMetadata(file)
    const needed = /^Requires-Python: *(.+)$/m.exec(metadata)?.[1]?.trim()
    const { project, version } = parseName(path.basename(file))!
    if (needed !== undefined) requirements.set(`${project} ${version}`, needed)
  }
  return requirements
}

/** Read `PKG-INFO` of a source distribution. Source: packaging.python.org, core-metadata. */
async function readMetadata(file: string): Promise<string> {
  // Loaded late: only Python projects need it.
  const { list } = await import('tar')
  const pieces: Buffer[] = []
  await list({
    file,
    filter: name => /^[^/]+\/PKG-INFO$/.test(name),
    onReadEntry: entry => entry.on('data', (piece: Buffer) => pieces.push(piece)),
  })
  return Buffer.concat(pieces).toString('utf8')
}

/** Source: PEP 503, normalized names. */
function normalize(project: string): string {
  return project.replace(/[-_.]+/g, '-').toLowerCase()
}

function read(file: string): Buffer {
  try {
    return fs.readFileSync(file)
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
