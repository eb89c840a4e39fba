import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { list } from 'tar'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { type SourceArchiveOptions, writeSourceArchives } from '../../../src/source/archive.ts'
import { writeFiles } from '../../support/git-repository.ts'
import { tempFolder } from '../../support/temp.ts'
import { needTool } from '../../support/tools.ts'

function options(): SourceArchiveOptions {
  const checkout = tempFolder()
  writeFiles(checkout, { 'src/b': 'b\n', 'a/run': '#!/bin/sh\n', 'ü.txt': 'x', untracked: 'no' })
  fs.symlinkSync('src/b', path.join(checkout, 'z-link'))
  fs.symlinkSync('/absolute', path.join(checkout, 'z-far'))
  return {
    checkout,
    files: [
      { path: 'a/run', mode: '100755' },
      { path: 'src/b', mode: '100644' },
      { path: 'z-far', mode: '120000' },
      { path: 'z-link', mode: '120000' },
      { path: 'ü.txt', mode: '100644' },
    ],
    name: 'notes',
    version: '1.0.0',
    timeSeconds: 1_790_000_000,
    folder: tempFolder(),
  }
}

describe('writeSourceArchives', () => {
  it('writes the listed files in order, with fixed modes and times', async () => {
    const given = options()
    const [tarball] = await writeSourceArchives(given)
    expect(tarball).toMatchObject({ name: 'notes-1.0.0-source.tar.gz', mediaType: 'application/gzip' })
    const file = path.join(given.folder, tarball!.name)
    expect(tarball!.digest).toBe(digestOf(fs.readFileSync(file)))
    const entries: string[] = []
    await list({
      file,
      onReadEntry: entry =>
        entries.push(
          `${entry.path} ${entry.type} ${entry.mode?.toString(8)} ${entry.mtime?.getTime()} ${entry.linkpath ?? ''}`,
        ),
    })
    expect(entries).toEqual([
      'notes-1.0.0/a/run File 755 1790000000000 ',
      'notes-1.0.0/src/b File 644 1790000000000 ',
      'notes-1.0.0/z-far SymbolicLink 777 1790000000000 /absolute',
      'notes-1.0.0/z-link SymbolicLink 777 1790000000000 src/b',
      'notes-1.0.0/ü.txt File 644 1790000000000 ',
    ])
  })

  it('writes the same bytes again from another folder', async () => {
    const [first, second] = [await writeSourceArchives(options()), await writeSourceArchives(options())]
    expect(second).toEqual(first)
  })

  it.skipIf(!needTool('unzip'))('writes a zip that unzip takes, links and modes included', async () => {
    const given = options()
    await writeSourceArchives(given)
    execFileSync('unzip', ['-q', 'notes-1.0.0-source.zip'], { cwd: given.folder })
    const folder = path.join(given.folder, 'notes-1.0.0')
    expect(fs.readFileSync(path.join(folder, 'src/b'), 'utf8')).toBe('b\n')
    expect(fs.readlinkSync(path.join(folder, 'z-link'))).toBe('src/b')
    expect(fs.statSync(path.join(folder, 'a/run')).mode & 0o777).toBe(0o755)
  })

  it('fails with the system’s reason when the folder cannot be written', async () => {
    await expect(writeSourceArchives({ ...options(), folder: '/nowhere' })).rejects.toMatchObject({
      code: 'FILE_IO',
      details: { errno: 'ENOENT' },
    })
  })
})
