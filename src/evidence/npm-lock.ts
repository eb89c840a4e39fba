import path from 'node:path'
import { Utils } from '@cyclonedx/cyclonedx-library/Contrib/FromNodePackageJson'
import type { Hash } from '@cyclonedx/cyclonedx-library/Models'
import { readTextIfExists } from '../sys/files.ts'
import { type PayloadFile, type PayloadView, parseObject } from './payload-view.ts'

/**
 * The digests of npm packages as the lock files of a checkout have them: those of the archives that were installed.
 *
 * Only what a lock file says of the very place and version of a package counts.
 */
export class NpmLocks {
  readonly #checkoutFolder: string | undefined
  readonly #view: PayloadView
  readonly #projects = new Map<string, Readonly<Record<string, unknown>>>()

  constructor(checkoutFolder: string | undefined, view: PayloadView) {
    this.#checkoutFolder = checkoutFolder
    this.#view = view
  }

  /** Look up the package that a package.json is of. */
  digest(packageJson: PayloadFile, version: unknown): Hash | undefined {
    if (this.#checkoutFolder === undefined) return undefined
    const place = path.relative(this.#checkoutFolder, path.dirname(packageJson.source)).split(path.sep)
    const first = place.indexOf('node_modules')
    if (first === -1 || place[0] === '..') return undefined
    const locked = this.#project(place.slice(0, first).join('/'))[place.slice(first).join('/')]
    if (typeof locked !== 'object' || locked === null) return undefined
    const { integrity, version: lockedVersion } = locked as Readonly<Record<string, unknown>>
    return lockedVersion === version && typeof integrity === 'string' ? parseIntegrity(integrity) : undefined
  }

  #project(folder: string): Readonly<Record<string, unknown>> {
    const known = this.#projects.get(folder)
    if (known !== undefined) return known
    const place = path.posix.join(folder, 'package-lock.json')
    const text = readTextIfExists(path.join(this.#checkoutFolder ?? '', place))
    const packages = text === undefined ? undefined : this.#view.attempt(place, () => parseObject(text))?.packages
    const locked = typeof packages === 'object' && packages !== null ? (packages as Record<string, unknown>) : {}
    this.#projects.set(folder, locked)
    return locked
  }
}

function parseIntegrity(integrity: string): Hash | undefined {
  try {
    return Utils.parsePackageIntegrity(integrity)
  } catch (caught) {
    if (caught instanceof RangeError) return undefined
    throw caught
  }
}
