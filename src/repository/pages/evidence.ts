import { countText } from '../../evidence/sbom-summary.ts'
import type { ReleaseRecord } from '../../payload/release-record.ts'
import { poolKey } from '../../trust/layout.ts'
import type { ReleaseEvidence, SignedProvenance } from '../evidence.ts'
import { type Html, hrefOf, html } from './html.ts'
import type { Site } from './install.ts'
import { commands, countOf, facts } from './parts.ts'
import { placeOf, shellWord } from './place.ts'

/** So many licences are named one by one. */
const shownLicences = 12

/** Render what a release's page says of what it consists of, how it was made, and how all of it is checked. */
export function renderEvidenceSection(site: Site, record: ReleaseRecord, evidence: ReleaseEvidence | undefined): Html {
  const link = (name: string) =>
    html`<a href="${hrefOf(`../../../${poolKey(record.name, record.version, name)}`)}">${name}</a>`
  const { sboms = [], provenance } = evidence ?? {}
  return html`${sboms.map(bill => renderBill(bill, link))}${provenance === undefined ? '' : renderProvenance(provenance, link)}<h3>Check it</h3>
<p>Signatures, every byte, and what is in the envelopes, from anywhere:</p>
${commands('Verify the release', verifyCommand(site, record))}`
}

function renderBill({ name, summary }: ReleaseEvidence['sboms'][number], link: (name: string) => Html): Html {
  return html`<h3>What ${summary.subject} consists of</h3>
${facts([
  ['Bill of materials', html`${link(name)} (CycloneDX ${summary.specVersion})`],
  ['Lists', countText(summary)],
  ...(summary.licences.length === 0 ? [] : [['Licences', licencesText(summary.licences)] as const]),
])}`
}

function renderProvenance({ name, keyId, summary }: SignedProvenance, link: (name: string) => Html): Html {
  return html`<h3>How it was made</h3>
${facts([
  ['Provenance', html`${link(name)} (SLSA v1, in a signed envelope)`],
  ['Builder', html`<code>${summary.builder}</code>`],
  ['Vouches for', `${countOf(summary.subjects.size, 'file')}, made from ${countOf(summary.materials, 'material')}`],
  ['Commit', html`<code>${summary.commit}</code>`],
  ['Signed by the key', html`<code>${keyId}</code>`],
])}`
}

function licencesText(licences: ReleaseEvidence['sboms'][number]['summary']['licences']): string {
  const shown = licences.slice(0, shownLicences).map(({ name, packages }) => `${name} (${packages})`)
  const rest = licences.length - shown.length
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

function verifyCommand({ description, rootFingerprint }: Site, { name, version }: ReleaseRecord): string {
  const { url } = placeOf(description)
  return `release verify ${shellWord(version)} --application ${shellWord(name)} --url ${shellWord(url)} --fingerprint ${rootFingerprint}`
}
