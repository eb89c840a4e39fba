import { countText } from '../../evidence/sbom-summary.ts'
import type { ReleaseRecord } from '../../payload/release-record.ts'
import { poolKey } from '../../trust/layout.ts'
import type { ReleaseEvidence, SignedProvenance } from '../evidence.ts'
import { type Html, hrefOf, html } from './html.ts'

/** So many licences are named one by one. */
const shownLicences = 12

/** Render what a release's page says of what it consists of and how it was made; nothing for a release without. */
export function renderEvidenceSection(record: ReleaseRecord, evidence: ReleaseEvidence | undefined): Html | string {
  if (evidence === undefined || (evidence.sboms.length === 0 && evidence.provenance === undefined)) return ''
  const link = (name: string) =>
    html`<a href="${hrefOf(`../../../${poolKey(record.name, record.version, name)}`)}">${name}</a>`
  return html`<h2 id="evidence">Evidence</h2>
<ul>
${evidence.sboms.map(({ name, summary }) => html`<li>${link(name)}: CycloneDX ${summary.specVersion}, ${countText(summary)}${licencesText(summary.licences)}</li>\n`)}${evidence.provenance === undefined ? '' : provenanceItem(evidence.provenance, link)}</ul>
`
}

function provenanceItem({ name, keyId, summary }: SignedProvenance, link: (name: string) => Html): Html {
  return html`<li>${link(name)}: SLSA provenance v1 of ${summary.subjects.size} files from ${summary.materials} materials, signed by the key <code>${keyId}</code></li>
`
}

function licencesText(licences: ReleaseEvidence['sboms'][number]['summary']['licences']): string {
  if (licences.length === 0) return ''
  const shown = licences.slice(0, shownLicences).map(({ name, packages }) => `${name} (${packages})`)
  const rest = licences.length - shown.length
  return `; licences: ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}
