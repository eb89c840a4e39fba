import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Event } from '../../../src/core/event.ts'
import type { ServedRelease } from '../../../src/flow/serve-release.ts'
import { readFrontSettings, readPage } from '../../../src/flow/serve-settings.ts'
import { gate } from '../../../src/recipe/schema/gate.ts'
import { tempFolder } from '../../support/temp.ts'

function release(folder: string, recipe: object): ServedRelease {
  const node = { gate: gate.parse(recipe) } as ServedRelease['node']
  return { version: '1.0.0', folder, node, values: {}, secrets: { LOOK: 'token' }, account: undefined, role: undefined }
}

describe('the page of a release', () => {
  it('is read with the rest of what the gate needs', () => {
    const folder = tempFolder()
    fs.writeFileSync(path.join(folder, 'soon.html'), '<p>{{seconds}}')
    const settings = readFrontSettings(
      release(folder, { backoff: { page: 'soon.html' }, bypass: { secret: 'LOOK', networks: ['10.0.0.0/8'] } }),
      { log: '/var/log' },
      () => {},
    )
    expect(settings.backoff.page).toBe('<p>{{seconds}}')
    expect(settings.bypass).toEqual({ token: 'token', networks: ['10.0.0.0/8'] })
  })

  it('keeps no application away when it cannot be read', () => {
    const events: Event[] = []
    const settings = readFrontSettings(
      release(tempFolder(), { backoff: { page: 'soon.html' } }),
      { log: '/var/log' },
      event => events.push(event),
    )
    expect(settings.backoff.page).toBeUndefined()
    expect(events).toMatchObject([{ kind: 'warning', code: 'GATE_PAGE_INVALID' }])
  })

  it.each([
    ['out of the release', (file: string) => fs.symlinkSync('/etc/hostname', file)],
    ['a folder', (file: string) => fs.mkdirSync(file)],
    ['too long', (file: string) => fs.writeFileSync(file, 'x'.repeat(256 * 1024 + 1))],
  ])('is refused when it is %s', (_what, make) => {
    const folder = tempFolder()
    make(path.join(folder, 'soon.html'))
    expect(() => readPage(folder, 'soon.html')).toThrow(expect.objectContaining({ code: 'GATE_PAGE_INVALID' }))
  })
})
