import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { type ReleaseRecord, recordBytes } from '../../../src/payload/release-record.ts'
import { artifactsOf } from '../../../src/repository/artifacts.ts'
import { readCut } from '../../../src/repository/dist.ts'
import {
  assertProvenance,
  envelopeName,
  readEvidence,
  renderEvidence,
  signEvidence,
} from '../../../src/repository/evidence.ts'
import { generateTufKey } from '../../../src/repository/keys/folder.ts'
import { listedRelease } from '../../../src/repository/listing.ts'
import { provenanceReferrers } from '../../../src/repository/oci/referrers.ts'
import { openDirectory } from '../../../src/repository/targets/directory.ts'
import { tufSigner } from '../../../src/repository/tuf/signer.ts'
import { poolKey } from '../../../src/trust/layout.ts'
import { codeOf } from '../../support/codes.ts'
import { makeRelease } from '../../support/made-release.ts'
import { tempFolder } from '../../support/temp.ts'

const key = generateTufKey('application-notes')
const signer = tufSigner(key.publicKey, () => key)
const keys = new Map([[signer.key.keyID, key.publicKey]])

async function signed(version: string) {
  const distFolder = tempFolder()
  const record = makeRelease({ distFolder, version, evidence: true })
  const evidence = signEvidence(await readCut(distFolder, version, () => {}), [signer])
  return { record, evidence, provenance: evidence.provenance!, distFolder }
}

const withoutImage = (record: ReleaseRecord): ReleaseRecord => ({
  ...record,
  components: record.components.map(({ name, artifacts }) => {
    return { name, artifacts: artifacts.filter(({ kind }) => kind !== 'oci') }
  }),
})

describe('signEvidence', () => {
  it('signs the very statement of the record', async () => {
    const { record, evidence, provenance } = await signed('1.0.0')
    expect(provenance.name).toBe('notes-1.0.0.provenance.intoto.jsonl')
    expect(assertProvenance(record, provenance.envelope, keys).subjects.size).toBe(5)
    expect(evidence.sboms.map(({ summary }) => summary.subject)).toEqual(['notes 1.0.0'])
  })

  it('has nothing to say of a release without evidence', async () => {
    const distFolder = tempFolder()
    const record = makeRelease({ distFolder, version: '1.0.0' })
    expect(signEvidence(await readCut(distFolder, '1.0.0', () => {}), [signer])).toEqual({ sboms: [] })
    expect(envelopeName(record)).toBeUndefined()
  })
})

describe('assertProvenance', () => {
  it('refuses the statement of another release', async () => {
    const { provenance } = await signed('1.0.0')
    const { record } = await signed('1.0.1')
    expect(codeOf(() => assertProvenance(record, provenance.envelope, keys))).toBe('EVIDENCE_MISMATCH')
  })

  it('refuses another key', async () => {
    const { record, provenance } = await signed('1.0.0')
    expect(codeOf(() => assertProvenance(record, provenance.envelope, new Map()))).toBe('EVIDENCE_SIGNATURE')
  })
})

describe('renderEvidence', () => {
  it('puts the envelope into the pool, and below the image what refers to it', async () => {
    const { record, provenance } = await signed('1.0.0')
    const [pool, ...blobs] = renderEvidence(record, provenance)
    expect(pool?.key).toBe('pool/notes/1.0.0/notes-1.0.0.provenance.intoto.jsonl')
    for (const { key, bytes } of blobs) expect(key).toBe(`oci/notes/blobs/sha256/${digestOf(bytes).slice(7)}`)
    const [referrer] = provenanceReferrers(record, provenance.envelope)
    const stored = blobs.find(({ bytes }) => digestOf(bytes) === referrer!.digest)
    const manifest = JSON.parse(stored!.bytes.toString())
    expect(manifest.subject.digest).toBe(artifactsOf(record, 'oci')[0]!.digest)
    expect(manifest.layers[0].digest).toBe(digestOf(provenance.envelope))
  })

  it('needs no image', async () => {
    const { record, provenance } = await signed('1.0.0')
    expect(renderEvidence(withoutImage(record), provenance)).toHaveLength(1)
    expect(provenanceReferrers(withoutImage(record), provenance.envelope)).toEqual([])
  })
})

describe('readEvidence', () => {
  async function published() {
    const { record, evidence, provenance, distFolder } = await signed('1.0.0')
    const folder = path.join(tempFolder(), 'repository')
    const write = (name: string, bytes: Buffer) => {
      const file = path.join(folder, poolKey(record.name, record.version, name))
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, bytes)
    }
    for (const { name } of artifactsOf(record, 'sbom')) {
      write(name, fs.readFileSync(path.join(distFolder, '1.0.0', name)))
    }
    write(provenance.name, provenance.envelope)
    const listed = listedRelease(record, recordBytes(record), provenance)
    return { record, evidence, provenance, listed, write, target: openDirectory(folder) }
  }

  it('tells of a published release what was told when it was signed, without a key', async () => {
    const { record, evidence, listed, target } = await published()
    expect(await readEvidence(target, record, listed)).toEqual(evidence)
  })

  it('refuses an envelope that the list of releases does not have', async () => {
    const { record, provenance, listed, write, target } = await published()
    write(provenance.name, Buffer.from(provenance.envelope.toString().replace('sig', 'gis')))
    await expect(readEvidence(target, record, listed)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' })
  })
})
