import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { persistRoute, setRoute, withRoute } from '../../../../src/gate/drivers/haproxy-map.ts'
import { tempFolder } from '../../../support/temp.ts'

/** What a map says, as HAProxy reads it: the first line of a key counts. */
function entries(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [key, value] = line.trim().split(/\s+/)
    if (key !== undefined && key !== '' && !key.startsWith('#') && !found.has(key)) found.set(key, value ?? '')
  }
  return found
}

describe('a map with another value for a key', () => {
  it('keeps comments and the place of every other line', () => {
    const text = '# routes\nblue  blue-app\n\ngreen green-app # not a comment\n'
    expect(withRoute(text, 'blue', 'blue-wait')).toBe('# routes\nblue blue-wait\n\ngreen green-app # not a comment\n')
    expect(withRoute('', 'blue', 'blue-app')).toBe('blue blue-app\n')
    expect(withRoute('a b', 'c', 'd')).toBe('a b\nc d\n')
  })

  it('says that once, and of the other keys what was said before', () => {
    const word = fc.stringMatching(/^[a-z.-]{1,5}$/)
    const line = fc.oneof(
      fc.tuple(word, word).map(([key, value]) => `${key} ${value}`),
      fc.constantFrom('', '# blue green', '  '),
    )
    fc.assert(
      fc.property(fc.array(line), word, word, (lines, key, value) => {
        const text = lines.join('\n')
        const after = withRoute(text, key, value)
        expect(entries(after)).toEqual(new Map(entries(text)).set(key, value))
        expect(withRoute(after, key, value)).toBe(after)
        expect(after.split('\n').filter(each => each.trim().split(/\s+/)[0] === key)).toHaveLength(1)
      }),
    )
  })
})

describe('a route that cannot be told', () => {
  it.each(['a b', 'a;shutdown sessions server x/y', 'a\nset server x/y state maint', 'a\\ b', '#1', ''])(
    'is refused with the key %j before anything is written',
    async key => {
      const map = path.join(tempFolder(), 'routes.map')
      await expect(persistRoute(map, key, 'app')).rejects.toMatchObject({ code: 'GATE_SERVER_SETTINGS' })
      expect(fs.existsSync(map)).toBe(false)
    },
  )

  it('leaves the file as it was where no HAProxy is', async () => {
    const folder = tempFolder()
    const map = path.join(folder, 'routes.map')
    fs.writeFileSync(map, 'blue blue-app\n', { mode: 0o640 })
    const place = { socket: path.join(folder, 'none.sock'), map }
    await expect(setRoute(place, 'blue', 'blue-wait')).rejects.toMatchObject({ code: 'GATE_SERVER_UNREACHABLE' })
    expect(fs.readFileSync(map, 'utf8')).toBe('blue blue-app\n')
    expect(fs.statSync(map).mode & 0o777).toBe(0o640)
  })
})
