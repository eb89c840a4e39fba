import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../../src/core/digest.ts'
import { renderSources, renderSuite } from '../../../../src/repository/apt/suite.ts'

const rendered = renderSuite({
  suite: 'stable',
  repositoryName: 'vendor',
  nowMs: Date.parse('2026-11-21T10:11:12.345Z'),
  entries: [
    { architecture: 'all', stanza: 'Package: notes\nVersion: 1\n' },
    { architecture: 'amd64', stanza: 'Package: weave\nVersion: 1\n' },
    { architecture: 'all', stanza: 'Package: notes\nVersion: 2\n' },
  ],
})

describe('renderSuite', () => {
  it('writes the Release text that apt expects', () => {
    expect(rendered.release.split('\n').slice(0, 9)).toEqual([
      'Origin: vendor',
      'Label: vendor',
      'Suite: stable',
      'Codename: stable',
      'Date: Sat, 21 Nov 2026 10:11:12 +0000',
      'Architectures: all amd64 arm64',
      'Components: main',
      'Description: Releases',
      'Acquire-By-Hash: yes',
    ])
  })

  it('lists each index plain and compressed, and stores the compressed one by its hash as well', () => {
    const byKey = new Map(rendered.documents.map(document => [document.key, document]))
    const compressed = byKey.get('dists/stable/main/binary-all/Packages.gz')!.bytes
    const plain = gunzipSync(compressed)
    expect(plain.toString()).toBe('Package: notes\nVersion: 1\n\nPackage: notes\nVersion: 2\n')
    const hex = hexOf(digestOf(compressed))
    expect(rendered.release).toContain(` ${hex} ${compressed.byteLength} main/binary-all/Packages.gz\n`)
    expect(rendered.release).toContain(` ${hexOf(digestOf(plain))} ${plain.byteLength} main/binary-all/Packages\n`)
    expect(byKey.get(`dists/stable/main/binary-all/by-hash/SHA256/${hex}`)).toMatchObject({ immutable: true })
  })

  it('has a valid, empty index for an architecture without packages', () => {
    const arm = rendered.documents.find(document => document.key.endsWith('binary-arm64/Packages.gz'))
    expect(gunzipSync(arm!.bytes)).toHaveLength(0)
  })
})

describe('renderSources', () => {
  it('carries the key, its empty lines marked', () => {
    const text = renderSources({ url: 'https://x.example/r', suite: 'edge', aptKey: 'BEGIN\r\n\r\nAAAA\r\nEND\r\n' })
    expect(text).toBe(
      'Types: deb\nURIs: https://x.example/r\nSuites: edge\nComponents: main\nSigned-By:\n BEGIN\n .\n AAAA\n END\n',
    )
  })
})
