import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { readDeb } from '../envelope/deb-reader.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import type { ReadyRelease } from '../repository/dist.ts'
import type { TargetReader } from '../repository/target.ts'
import { poolKey } from '../trust/layout.ts'

/**
 * List the files that a package of a release installs, without a leading slash.
 *
 * Shape: what its control archive says, `md5sums` and `conffiles`; symbolic links are in neither. The package is read from `dist` while its
 * release is being added, else fetched.
 * Errors: DEB_INVALID, REPOSITORY_DAMAGED, FILE_IO.
 */
export async function packageFiles(wanted: {
  readonly record: ReleaseRecord
  readonly deb: string
  readonly target: TargetReader
  readonly added: ReadyRelease | undefined
}): Promise<readonly string[]> {
  const { record, deb, target, added } = wanted
  if (added?.record === record) return listedFiles(path.join(added.folder, deb))
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-package-'))
  try {
    const file = path.join(scratch, 'package.deb')
    const descriptor = fs.openSync(file, 'w')
    try {
      for await (const piece of target.read(poolKey(record.name, record.version, deb))) fs.writeSync(descriptor, piece)
    } finally {
      fs.closeSync(descriptor)
    }
    return listedFiles(file)
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true })
  }
}

function listedFiles(file: string): readonly string[] {
  const { controlFiles } = readDeb(file)
  const lines = (name: string) => (controlFiles.get(name)?.text ?? '').split('\n').filter(line => line !== '')
  // Source: deb-md5sums(5), deb-conffiles(5): a line may begin with the flag remove-on-upgrade.
  const summed = lines('md5sums').map(line => line.replace(/^[0-9a-f]{32} [ *]/, ''))
  const kept = lines('conffiles').filter(line => line.startsWith('/'))
  return [...new Set([...summed, ...kept.map(line => line.slice(1))])]
}
