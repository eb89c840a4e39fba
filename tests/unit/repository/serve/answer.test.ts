import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../../src/core/digest.ts'
import { answerRepository } from '../../../../src/repository/serve/answer.ts'
import { ServedFolder } from '../../../../src/sys/served-folder.ts'
import { tempFolder } from '../../../support/temp.ts'

const base = tempFolder()
const root = path.join(base, 'repository')
const secret = 'nobody is shown this'
const shown = 'everybody is shown this'
const hex = hexOf(digestOf(shown))

for (const [file, text] of Object.entries({
  outside: secret,
  'repository/.cutover/lock': secret,
  'repository/oci/notes/.index.json.tmp': secret,
  'repository/oci/.hidden/index.json': '{"manifests":[]}',
  'repository/oci/notes/index.json': '{"manifests":[]}',
  [`repository/oci/notes/blobs/sha256/${hex}`]: shown,
  'repository/pool/a': shown,
  'repository/simple/index.html': shown,
  'repository/simple/index.json': shown,
  'repository/snapshot/20261121T074500Z/dists/stable/InRelease': shown,
})) {
  fs.mkdirSync(path.dirname(path.join(base, file)), { recursive: true })
  fs.writeFileSync(path.join(base, file), text)
}
fs.symlinkSync('../outside', path.join(root, 'link'))
fs.symlinkSync('../..', path.join(root, 'pool/up'))

const answer = answerRepository(new ServedFolder(root))

/** What a client gets to see, whatever the status. */
async function bodyOf(method: string, target: string, accept?: string): Promise<string> {
  const [address = '', query = ''] = target.split('?', 2)
  const headers = accept === undefined ? {} : { accept }
  const answered = await answer({ method, path: address, query, headers })
  if (answered.kind === 'bytes') return `${answered.status} ${answered.bytes}`
  const text = fs.readFileSync(answered.file.descriptor, 'utf8')
  answered.file.close()
  return text
}

describe('the answers of a repository', () => {
  it.each([
    '/pool/a',
    '/snapshot/20261121T074500Z/pool/a',
    '/snapshot/20261121T074500Z/dists/stable/InRelease',
    '/simple/',
    `/v2/notes/blobs/sha256:${hex}`,
  ])('have what is at %s', async target => {
    expect(await bodyOf('GET', target)).toBe(shown)
  })

  it('show nothing that is hidden or outside, whatever is asked for', async () => {
    const part = fc.constantFrom(
      ...['..', '.', '', '%2e%2e', '%2f', '%5c', '\\', '%00', '%', '%ff', 'outside', 'link', 'up', 'pool', 'a', 'oci'],
      ...[
        'notes',
        '.cutover',
        '.cutover%2flock',
        'lock',
        '.hidden',
        'index.json',
        '.index.json.tmp',
        'blobs',
        'sha256',
      ],
      ...['snapshot', '20261121T074500Z', 'dists', 'by-hash', 'v2', 'manifests', 'tags', 'list', 'referrers', 'simple'],
      ...['_catalog', hex, `sha256:${hex}`, `sha256%3a${hex}`, 'repository', '?n=1', '?last=a', '?artifactType=x'],
    )
    const target = fc.array(part, { maxLength: 8 }).map(parts => `/${parts.join('/')}`)
    const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS')
    await fc.assert(
      fc.asyncProperty(method, target, fc.option(fc.string(), { nil: undefined }), async (verb, address, accept) => {
        expect(await bodyOf(verb, address, accept)).not.toContain(secret)
      }),
      { numRuns: 2000 },
    )
  })
})
