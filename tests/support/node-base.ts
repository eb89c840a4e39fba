import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { digestOf } from '../../src/core/digest.ts'
import { TestLayout } from './base-layout.ts'

/** Write an image layout with this machine's Node and the libraries that it needs, for this machine's architecture. */
export function nodeBase(folder: string): void {
  const root = path.join(folder, 'root')
  copyWithLibraries(process.execPath, root, 'usr/local/bin/node')
  const tar = path.join(folder, 'root.tar')
  execFileSync('tar', ['--create', '--file', tar, '--owner=0', '--group=0', '--numeric-owner', '-C', root, '.'])
  const layout = new TestLayout(path.join(folder, 'layout'))
  const bytes = fs.readFileSync(tar)
  const layer = { descriptor: layout.put(bytes, 'application/vnd.oci.image.layer.v1.tar'), diffId: digestOf(bytes) }
  const config = { config: { Env: ['PATH=/usr/local/bin'] } }
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  layout.finish([[layout.image(`linux/${architecture}`, [layer], { config }), 'node']])
}

/** Copy an executable of this machine into a root file system, with the libraries that it needs. */
export function copyWithLibraries(file: string, root: string, to: string): void {
  const copies = [[file, to] as const, ...librariesOf(file).map(library => [library, library] as const)]
  for (const [from, place] of copies) {
    const target = path.join(root, place)
    fs.mkdirSync(path.dirname(target), { recursive: true })
    fs.copyFileSync(from, target, fs.constants.COPYFILE_FICLONE)
  }
}

/** Source: ldd(1): a path stands behind the arrow, or alone for the loader. */
function librariesOf(file: string): readonly string[] {
  const text = execFileSync('ldd', [file], { encoding: 'utf8' })
  return [...text.matchAll(/(\/\S+) \(0x/g)].map(match => match[1]!)
}
