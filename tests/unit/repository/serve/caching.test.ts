import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../../src/core/digest.ts'
import { cacheControlOf, immutableControl, pointerControl } from '../../../../src/repository/serve/caching.ts'
import { ociBlobKey, poolKey, recordKey, rootKey, targetKey } from '../../../../src/trust/layout.ts'

const digest = digestOf('x')
const byHash = `main/binary-all/by-hash/SHA256/${hexOf(digest)}`

describe('cacheControlOf', () => {
  it.each([
    poolKey('notes', '1.0.0', 'notes.deb'),
    ociBlobKey('notes', digest),
    recordKey('notes', '1.0.0', digest),
    targetKey('notes/releases.json', digest),
    targetKey('repository.json', digest),
    'metadata/12.snapshot.json',
    'metadata/1.root.json',
    `dists/stable/${byHash}`,
    `snapshot/20261121T074500Z/dists/stable/${byHash}`,
  ])('lets %s be kept for ever', key => {
    expect(cacheControlOf(`/${key}`)).toBe(immutableControl)
  })

  it.each([
    'metadata/timestamp.json',
    rootKey,
    'dists/stable/InRelease',
    'dists/stable/main/binary-all/Packages.gz',
    'oci/notes/index.json',
    'simple/notes/index.html',
    'repository.json',
    'pool/',
    'targets/notes/releases.json',
    'snapshot/20261121T074500Z/dists/stable/InRelease',
    '',
  ])('has %s asked for again', key => {
    expect(cacheControlOf(`/${key}`)).toBe(pointerControl)
  })
})
