import { expect, it } from 'vitest'
import { renderSources } from '../../../../src/repository/apt/sources.ts'

it('carries the key, its empty lines marked, and the components', () => {
  const text = renderSources({ url: 'https://x.example/r', aptKey: 'BEGIN\r\n\r\nAAAA\r\nEND\r\n' }, 'edge', [
    'notes',
    'weave',
  ])
  expect(text).toBe(
    'Types: deb\nURIs: https://x.example/r\nSuites: edge\nComponents: notes weave\nSigned-By:\n BEGIN\n .\n AAAA\n END\n',
  )
})
