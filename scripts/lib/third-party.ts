import fs from 'node:fs'
import path from 'node:path'
import type { Metafile } from 'esbuild'

/** List the folders of the npm packages that a bundle took code from, such as `node_modules/tar`, sorted. */
export function bundledPackages(metafile: Metafile): readonly string[] {
  const folders = Object.keys(metafile.inputs).flatMap(input => {
    const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)
    return match === null ? [] : [match[0]]
  })
  return [...new Set(folders)].toSorted()
}

/**
 * Word what the licences of bundled packages ask for: name, version, licence and the licence's text of each.
 *
 * Errors: a package without a licence in its package.json is not bundled silently.
 */
export function thirdPartyNotices(root: string, packages: readonly string[]): string {
  const notices = packages.map(folder => {
    const absolute = path.join(root, folder)
    const { name, version, license } = JSON.parse(fs.readFileSync(path.join(absolute, 'package.json'), 'utf8')) as {
      readonly name: string
      readonly version: string
      readonly license?: string
    }
    if (license === undefined) throw new Error(`${name} ${version} names no licence`)
    return [`${name} ${version} (${license})`, '', licenceText(absolute) ?? `Licence: ${license}`].join('\n')
  })
  return `${['Cutover contains code of these packages.', ...notices].join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

function licenceText(folder: string): string | undefined {
  const names = fs.readdirSync(folder).filter(name => /^(licen[cs]e|copying|notice)/i.test(name))
  if (names.length === 0) return undefined
  return names
    .toSorted()
    .map(name => fs.readFileSync(path.join(folder, name), 'utf8').trim())
    .join('\n\n')
}
