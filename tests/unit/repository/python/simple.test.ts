import { describe, expect, it } from 'vitest'
import { hexOf } from '../../../../src/core/digest.ts'
import { artifactsOf } from '../../../../src/repository/artifacts.ts'
import { renderProjectList, renderProjects } from '../../../../src/repository/python/simple.ts'
import { makeRelease } from '../../../support/made-release.ts'
import { tempFolder } from '../../../support/temp.ts'

const record = (version: string, tag?: string) =>
  makeRelease({ distFolder: tempFolder(), version, python: true, ...(tag === undefined ? {} : { tag }) })
const released = record('1.0.0', 'v1.0.0')
const entry = { name: 'notes', releases: [released, record('1.1.0-git20260101.abc1234')] }

describe('the Python index', () => {
  it('names files with their hashes and the Python that they need', () => {
    const [page] = renderProjects(entry)
    const [file] = artifactsOf(released, 'python')
    expect(page?.key).toBe('simple/notes/index.html')
    expect(page?.bytes.toString()).toContain(
      `<a href="../../pool/notes/1.0.0/${file?.name}#sha256=${hexOf(file!.digest)}" data-requires-python="&gt;=3.9">${file?.name}</a>`,
    )
  })

  it('names a file that several releases bring once, for pip takes it from anywhere', () => {
    const again = { ...record('1.1.0', 'v1.1.0'), components: released.components }
    const [page] = renderProjects({ name: 'notes', releases: [released, again] })
    expect(page?.bytes.toString().match(/<a /g)).toHaveLength(1)
  })

  it('leaves snapshots out, for pip would take them for releases', () => {
    expect(renderProjects(entry)[0]?.bytes.toString()).not.toContain('1.1.0')
  })

  it('lists projects by their one spelling', () => {
    expect(renderProjectList([entry]).bytes.toString()).toContain('<a href="notes/">notes</a>')
  })

  it('refuses a project that is no name', () => {
    const [file] = artifactsOf(released, 'python')
    const wrong = { ...released, components: [{ name: 'notes', artifacts: [{ ...file!, project: '../x' }] }] }
    expect(() => renderProjects({ name: 'notes', releases: [wrong] })).toThrow(
      expect.objectContaining({ code: 'PACKAGE_INVALID' }),
    )
  })
})
