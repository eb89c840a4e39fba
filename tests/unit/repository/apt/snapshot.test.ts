import { expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { renderDatedSnapshot } from '../../../../src/repository/apt/snapshot.ts'
import { listedPackage, makeSuites } from '../../../support/apt-suite.ts'

const id = '20261121T101112Z'

it('keeps the Release files of every suite, and names the files that they need', async () => {
  const made = await makeSuites({ contents: true })
  for (const suite of ['edge', 'stable'])
    await made.publish(suite, { added: [listedPackage('notes', '1', { files: ['x'] })] })
  const { documents, snapshot } = await renderDatedSnapshot(id, Object.fromEntries(made.states), made.read)
  expect(documents.map(({ key }) => key)).toEqual(
    ['edge', 'stable'].flatMap(suite =>
      ['Release', 'Release.gpg', 'InRelease'].map(name => `snapshot/${id}/dists/${suite}/${name}`),
    ),
  )
  expect(documents[0]!.bytes).toEqual(made.files.get('dists/edge/Release'))
  expect(snapshot.id).toBe(id)
  for (const { key, digest } of snapshot.files) expect(digestOf(made.files.get(key)!)).toBe(digest)
  const release = made.files.get('dists/stable/Release')!.toString()
  const listed = release.matchAll(/^ ([0-9a-f]{64}) \d+ (?!.*Contents-\w+$)/gm)
  const held = new Set(snapshot.files.filter(({ key }) => key.includes('/stable/')).map(({ digest }) => digest))
  expect(held).toEqual(new Set([...listed].map(([, hex]) => `sha256:${hex}`)))
})

it('refuses to keep a Release file that somebody changed', async () => {
  const made = await makeSuites()
  await made.publish('stable', {})
  made.files.set('dists/stable/InRelease', Buffer.from('other'))
  const rendered = renderDatedSnapshot(id, Object.fromEntries(made.states), made.read)
  await expect(rendered).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' })
})
