import { hexOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { compareBytes } from '../../core/relative-path.ts'
import { poolKey } from '../../trust/layout.ts'
import { type ArtifactOf, artifactsOf, type CatalogueEntry, normalizedProject } from '../catalogue.ts'
import { type Document, pointer } from '../document.ts'
import { type Html, hrefOf, html } from '../pages/html.ts'

/**
 * Render the pages of an application's Python projects.
 *
 * Shape: a file that several releases bring is named once. Snapshots are left out: pip knows no suites. Source: PEP 503.
 */
export function renderProjects(entry: CatalogueEntry): readonly Document[] {
  const files = entry.releases
    .filter(release => release.tag !== undefined)
    .flatMap(release => artifactsOf(release, 'python').map(file => ({ file, version: release.version })))
  // Releases that bring a file of the same name bring the same bytes: see catalogue.ts.
  const once = new Map(files.toReversed().map(each => [each.file.name, each] as const))
  const projects = Map.groupBy([...once.values()].toReversed(), ({ file }) => parseProject(file))
  return [...projects].map(([project, listed]) =>
    pointer(
      `simple/${project}/index.html`,
      page(
        project,
        listed.map(({ file, version }) => fileLink(file, `../../${poolKey(entry.name, version, file.name)}`)),
      ),
      'text/html',
    ),
  )
}

/** Render the list of all projects. */
export function renderProjectList(entries: readonly CatalogueEntry[]): Document {
  const projects = entries.flatMap(entry =>
    entry.releases
      .filter(release => release.tag !== undefined)
      .flatMap(release => artifactsOf(release, 'python').map(parseProject)),
  )
  const links = [...new Set(projects)]
    .toSorted(compareBytes)
    .map(project => html`<a href="${project}/">${project}</a><br>\n`)
  return pointer('simple/index.html', page('Projects', links), 'text/html')
}

/** Find the project of a file under its one spelling. Errors: PACKAGE_INVALID. Source: PEP 508 (names), PEP 503. */
function parseProject(file: ArtifactOf<'python'>): string {
  if (/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(file.project)) return normalizedProject(file.project)
  throw new ReleaseError('PACKAGE_INVALID', `${file.name} is of the project ${JSON.stringify(file.project)}`, {
    details: { artifact: file.name },
  })
}

function fileLink(file: ArtifactOf<'python'>, path: string): Html {
  const address = `${hrefOf(path)}#sha256=${hexOf(file.digest)}`
  const requires = file.requiresPython === undefined ? '' : html` data-requires-python="${file.requiresPython}"`
  return html`<a href="${address}"${requires}>${file.name}</a><br>\n`
}

function page(title: string, links: readonly Html[]): string {
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="pypi:repository-version" content="1.0"><title>${title}</title></head>
<body>
<h1>${title}</h1>
${links}</body>
</html>
`.text
}
