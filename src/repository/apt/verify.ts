import { gunzipSync } from 'node:zlib'
import { readCleartextMessage, readKey, verify } from 'openpgp'
import { digestOf, hexOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import type { DebArtifact } from './control.ts'
import type { ReadFile } from './suite.ts'

const maxReleaseBytes = 1024 * 1024
const maxIndexBytes = 256 * 1024 * 1024

/**
 * Find a package the way that apt does: InRelease by its signature, the index by its hash in there, the package in the index.
 *
 * Errors: TRUST_SIGNATURE, TRUST_MISMATCH (the index does not list the package as the record does), REPOSITORY_DAMAGED.
 */
export async function verifyListed(
  fetchFile: ReadFile,
  options: {
    readonly suite: string
    readonly component: string
    readonly deb: DebArtifact
    readonly filename: string
    /** One or several armoured public keys; the signature of one is enough. */
    readonly aptKey: string
  },
): Promise<void> {
  const { suite, deb } = options
  const release = await readInRelease(
    await fetchFile(`dists/${suite}/InRelease`, maxReleaseBytes),
    options.aptKey,
    suite,
  )
  const path = `main/binary-${deb.architecture}/Packages.gz`
  const hex = new RegExp(`^ ([0-9a-f]{64}) \\d+ ${path.replaceAll('.', '\\.')}$`, 'm').exec(release)?.[1]
  if (hex === undefined) throw mismatch(`dists/${suite}/InRelease does not list ${path}`)
  const key = `dists/${suite}/main/binary-${deb.architecture}/by-hash/SHA256/${hex}`
  const compressed = await fetchFile(key, maxIndexBytes)
  if (hexOf(digestOf(compressed)) !== hex) throw mismatch(`${key} has ${digestOf(compressed)}`)
  const stanzas = gunzipSync(compressed, { maxOutputLength: maxIndexBytes }).toString('utf8').split('\n\n')
  const wanted = [`\nFilename: ${options.filename}\n`, `\nSHA256: ${hexOf(deb.digest)}\n`]
  if (stanzas.some(stanza => wanted.every(line => `${stanza}\n`.includes(line)))) return
  throw mismatch(`${key} does not list ${options.filename} with ${deb.digest}`)
}

async function readInRelease(bytes: Buffer, aptKey: string, suite: string): Promise<string> {
  const place = `dists/${suite}/InRelease`
  try {
    const message = await readCleartextMessage({ cleartextMessage: bytes.toString('utf8') })
    await verify({ message, verificationKeys: await readKey({ armoredKey: aptKey }), expectSigned: true })
    return message.getText()
  } catch (caught) {
    throw new ReleaseError('TRUST_SIGNATURE', `${place} is not signed by the key of the repository`, {
      cause: caught,
      details: { key: place },
    })
  }
}

function mismatch(reason: string): ReleaseError {
  return new ReleaseError('TRUST_MISMATCH', `apt would not find the package of the record: ${reason}`)
}
