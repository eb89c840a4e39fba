import { stableJson } from '../../core/canonical-json.ts'
import { hexOf } from '../../core/digest.ts'
import { compareBytes } from '../../core/relative-path.ts'
import type { ReleaseIndex } from '../../trust/layout.ts'
import { type Document, pointer } from '../document.ts'
import type { Ledger } from '../ledger.ts'
import { type Html, hrefOf, html, printableText } from '../pages/html.ts'
import { distributionVersion, filesByProject, type IndexedFile } from './files.ts'

/** The media type of the index as JSON, which clients ask for by name. Source: PEP 691. */
export const simpleJsonType = 'application/vnd.pypi.simple.v1+json'

/** With versions and sizes (PEP 700); nothing of later versions is promised. */
const jsonVersion = '1.1'

/**
 * Render the index of an application's Python projects, each as HTML and as JSON under `simple/PROJECT/`.
 *
 * What is withdrawn is marked, not removed. `claimed` are projects that the application once had: they get a page without files, so that
 * the one with what was removed does not stay. Errors: PACKAGE_INVALID. Source: PEP 503, PEP 592, PEP 691, PEP 700.
 */
export function renderProjects(index: ReleaseIndex, claimed: readonly string[] = []): readonly Document[] {
  return [...filesByProject(index, claimed)].flatMap(([project, files]) => [
    pointer(`simple/${project}/index.html`, page(project, files.map(fileLink)), 'text/html'),
    pointer(`simple/${project}/index.json`, stableJson(projectJson(project, files)), simpleJsonType),
  ])
}

/** Render the list of all projects, as HTML and as JSON. Source: PEP 503, PEP 691. */
export function renderProjectList(ledger: Ledger): readonly Document[] {
  const names = Object.values(ledger.applications).flatMap(({ projects }) => projects)
  const projects = [...new Set(names)].toSorted(compareBytes)
  const links = projects.map(project => html`<a href="${hrefOf(project)}/">${project}</a><br>\n`)
  const json = { meta: { 'api-version': jsonVersion }, projects: projects.map(name => ({ name })) }
  return [
    pointer('simple/index.html', page('Projects', links), 'text/html'),
    pointer('simple/index.json', stableJson(json), simpleJsonType),
  ]
}

function projectJson(name: string, files: readonly IndexedFile[]): Readonly<Record<string, unknown>> {
  const versions = files.map(({ file }) => distributionVersion(file.name)).filter(version => version !== undefined)
  return {
    meta: { 'api-version': jsonVersion },
    name,
    versions: [...new Set(versions)],
    files: files.map(({ file, key, yanked }) => ({
      filename: file.name,
      url: poolHref(key),
      hashes: { sha256: hexOf(file.digest) },
      size: file.sizeBytes,
      ...(file.requiresPython === undefined ? {} : { 'requires-python': file.requiresPython }),
      yanked: yanked === undefined ? false : printableText(yanked) || true,
    })),
  }
}

function fileLink({ file, key, yanked }: IndexedFile): Html {
  const requires = file.requiresPython === undefined ? '' : html` data-requires-python="${file.requiresPython}"`
  const withdrawn = yanked === undefined ? '' : html` data-yanked="${yanked}"`
  return html`<a href="${poolHref(key)}#sha256=${hexOf(file.digest)}"${requires}${withdrawn}>${file.name}</a><br>\n`
}

const poolHref = (key: string) => hrefOf(`../../${key}`)

function page(title: string, links: readonly Html[]): string {
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="pypi:repository-version" content="1.0"><link rel="icon" href="data:,"><title>${title}</title></head>
<body>
<h1>${title}</h1>
${links}</body>
</html>
`.text
}
