import { hexOf } from '../../core/digest.ts'
import { type ListedPython, type ListedRelease, poolKey } from '../../trust/layout.ts'
import { normalizedProject } from '../artifacts.ts'
import { distributionVersion } from '../python/files.ts'
import { type Html, html } from './html.ts'
import { commands } from './parts.ts'
import { addressOf, type Place, shellWord } from './place.ts'

/** Render the commands with which pip gets the Python project of a release: none when it has none. */
export function renderPythonCommands(place: Place, application: string, release: ListedRelease): readonly Html[] {
  const [first] = release.python
  if (first === undefined) return []
  if (release.snapshot) return [fromPool(place, poolKey(application, release.version, first.name))]
  const project = normalizedProject(first.project)
  const version = distributionVersion(first.name)
  if (version === undefined) return []
  const files = release.python.filter(file => isOf(file, project, version))
  return [fromIndex(place, `${project}==${version}`, files)]
}

function isOf(file: ListedPython, project: string, version: string): boolean {
  return normalizedProject(file.project) === project && distributionVersion(file.name) === version
}

/** The index knows no snapshots. */
function fromPool(place: Place, key: string): Html {
  return html`<p>The index leaves snapshots out; this is the file itself.</p>
${commands('Install with pip', `pip install ${addressOf(place, key)}`)}`
}

function fromIndex(place: Place, requirement: string, files: readonly ListedPython[]): Html {
  const hashes = files.map(file => `--hash=sha256:${hexOf(file.digest)}`).join(' ')
  return html`${commands('Install with pip', pipCommand(place, requirement))}<p>Or in a requirements file, which then takes no other bytes:</p>
${commands('Line of a requirements file', `${requirement} ${hashes}`)}`
}

/** Write the command with which pip installs from the repository's index and from no other. */
export function pipCommand(place: Place, requirement: string): string {
  const trusted = place.kind === 'web' && place.isPlain ? ` --trusted-host ${shellWord(place.hostname)}` : ''
  return `pip install --index-url ${addressOf(place, 'simple/')}${trusted} ${shellWord(requirement)}`
}
