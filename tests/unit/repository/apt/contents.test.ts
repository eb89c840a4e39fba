import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { listedPackage, type MadeSuites, makeSuites } from '../../../support/apt-suite.ts'

function contents(made: MadeSuites, architecture = 'amd64'): string {
  return gunzipSync(made.files.get(`dists/stable/main/Contents-${architecture}.gz`)!).toString()
}

const one = listedPackage('notes', '1', { files: ['usr/bin/notes', 'usr/share/notes/a b'] })
const two = listedPackage('notes', '2', { files: ['usr/bin/notes', 'usr/bin/notes-admin'] })
const weave = listedPackage('weave', '1', { files: ['usr/bin/notes'] })
const ark = listedPackage('ark', '1', { architecture: 'all', files: ['opt/ark'] })

describe('Contents', () => {
  it('name every package that installs a path', async () => {
    const made = await makeSuites({ contents: true })
    await made.publish('stable', { added: [weave, one, two, ark] })
    expect(contents(made)).toBe(
      'usr/bin/notes web/notes,web/weave\nusr/bin/notes-admin web/notes\nusr/share/notes/a b web/notes\n',
    )
    expect(contents(made, 'all')).toBe('opt/ark web/ark\n')
    expect(contents(made, 'arm64')).toBe('')
  })

  it('lose a path with the last version that has it', async () => {
    const made = await makeSuites({ contents: true })
    await made.publish('stable', { added: [weave, one, two] })
    await made.publish('stable', { removed: [one] })
    expect(contents(made)).toBe('usr/bin/notes web/notes,web/weave\nusr/bin/notes-admin web/notes\n')
    await made.publish('stable', { removed: [two] })
    expect(contents(made)).toBe('usr/bin/notes web/weave\n')
  })

  it('are listed plain as well, as apt demands, and stored compressed', async () => {
    const made = await makeSuites({ contents: true })
    await made.publish('stable', { added: [one] })
    const release = made.files.get('dists/stable/Release')!.toString()
    expect(release).toMatch(/ main\/Contents-amd64\n/)
    expect(release).toMatch(/ main\/Contents-amd64\.gz\n/)
    expect(release).not.toContain('Files-')
    expect(made.files.has('dists/stable/main/Contents-amd64')).toBe(false)
  })

  it('go when they are no longer wanted', async () => {
    const made = await makeSuites({ contents: true })
    await made.publish('stable', { added: [one] })
    made.description = { ...made.description, apt: { ...made.description.apt, contents: false } }
    await made.publish('stable', {})
    expect([...made.files.keys()].filter(key => /Contents|main\/by-hash/.test(key))).toEqual([])
  })

  it.each(['a\nb', ''])('refuse the path %j', async path => {
    const made = await makeSuites({ contents: true })
    const added = [listedPackage('notes', '1', { files: [path] })]
    await expect(made.publish('stable', { added })).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
  })
})
