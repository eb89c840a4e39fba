import fs from 'node:fs'
import path from 'node:path'
import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { known } from '../core/step.ts'
import { readEnvelope } from '../evidence/dsse.ts'
import { assertSbom, countText, summariseSbom } from '../evidence/sbom-summary.ts'
import type { ProvenanceSummary } from '../evidence/statement.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import { artifactsOf } from '../repository/artifacts.ts'
import { assertProvenance, assertStatement, envelopeName, renderEvidence } from '../repository/evidence.ts'
import { poolKey } from '../trust/layout.ts'
import { fetchFile } from './repository-file.ts'
import type { VerifyState } from './repository-verify.ts'

const maxEnvelopeBytes = 16 * 1024 * 1024

/** Read the SBOMs of a release, which were verified as files before. Errors: EVIDENCE_INVALID, EVIDENCE_MISMATCH. */
export async function checkSboms(state: VerifyState): Promise<Outcome<string>> {
  const record = known(state.record)
  const sboms = record.components.flatMap(component =>
    component.artifacts.filter(({ kind }) => kind === 'sbom').map(({ name }) => ({ component: component.name, name })),
  )
  if (sboms.length === 0) return skipped('NO_SBOM', 'the release has no SBOM')
  const texts = sboms.map(({ component, name }) => {
    const file = path.join(state.scratch, poolKey(record.name, record.version, name))
    const summary = summariseSbom(fs.readFileSync(file))
    assertSbom(summary, { name: component, version: record.version })
    return `${component}: ${countText(summary)}`
  })
  return done(texts.join('; '))
}

/**
 * Check the signed provenance, and that the images of the release are referred to by it.
 *
 * Errors: EVIDENCE_SIGNATURE, EVIDENCE_INVALID, EVIDENCE_MISMATCH, REPOSITORY_DAMAGED, TRUST_MISMATCH.
 */
export async function checkProvenance(state: VerifyState): Promise<Outcome<string>> {
  const record = known(state.record)
  const { url } = known(state.anchor)
  const name = envelopeName(record)
  if (name === undefined) return skipped('NO_PROVENANCE', 'the release has no provenance')
  const envelope = await fetchFile(url, poolKey(record.name, record.version, name), maxEnvelopeBytes)
  const listed = known(state.index).releases.find(({ version }) => version === record.version)?.provenance
  const summary = await believed(state, record, { envelope, listed: listed?.digest })
  for (const { key, bytes } of renderEvidence(record, { name, envelope })) {
    const found = await fetchFile(url, key, bytes.byteLength)
    if (found.equals(bytes)) continue
    throw new ReleaseError('TRUST_MISMATCH', `${key} at ${url} is not what the signed provenance says`, {
      details: { key },
    })
  }
  const referred = artifactsOf(record, 'oci').length === 0 ? '' : ', the image refers to it'
  return done(`${summary.subjects.size} subjects, ${summary.materials} materials, by ${summary.builder}${referred}`)
}

/** An envelope is believed by the signed list of releases, whatever keys the application has now; one that is not listed, by its signature. */
async function believed(
  state: VerifyState,
  record: ReleaseRecord,
  { envelope, listed }: { readonly envelope: Buffer; readonly listed: Digest | undefined },
): Promise<ProvenanceSummary> {
  if (listed === undefined) return assertProvenance(record, envelope, await known(state.client).keys(record.name))
  const found = digestOf(envelope)
  if (found === listed) return assertStatement(record, readEnvelope(envelope).statement)
  throw new ReleaseError(
    'TRUST_MISMATCH',
    `the provenance of ${record.name} ${record.version} is ${found}, expected ${listed}`,
    {
      details: { found, expected: listed },
    },
  )
}
