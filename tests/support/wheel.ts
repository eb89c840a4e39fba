import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { tempFolder } from './temp.ts'

/**
 * Make a wheel of version 1.0.0 with one module of the package's name.
 *
 * Source: the binary distribution format of packaging.python.org. `requires` are lines of its metadata.
 */
export function madeWheel(name: string, requires: string): Buffer {
  const folder = tempFolder()
  const info = path.join(folder, `${name}-1.0.0.dist-info`)
  fs.mkdirSync(info)
  fs.writeFileSync(path.join(folder, `${name}.py`), 'ready = True\n')
  fs.writeFileSync(path.join(info, 'METADATA'), `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0.0\n${requires}`)
  fs.writeFileSync(path.join(info, 'WHEEL'), 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
  fs.writeFileSync(path.join(info, 'RECORD'), '')
  const file = path.join(tempFolder(), 'made.whl')
  execFileSync('python3', ['-m', 'zipfile', '-c', file, `${name}.py`, path.basename(info)], { cwd: folder })
  return fs.readFileSync(file)
}
