import { describe, expect, it } from 'vitest'
import { outsidePlaces } from '../../../src/flow/serve-outside.ts'
import type { ServedRelease } from '../../../src/flow/serve-release.ts'
import { prefixPaths } from '../../../src/prefix/layout.ts'
import { parseNodeRecipe } from '../../../src/recipe/node.ts'

const paths = prefixPaths('/var/shop')
const identity = {
  schema: 1,
  layout: 1,
  application: 'shop',
  repository: 'https://example.org/',
  environment: 'here',
  variables: {},
} as const

/** Where a release of these settings meets the server in front of it. */
function places(kind: 'haproxy' | 'nginx', settings: object, more: object = {}) {
  const gate = { [kind]: settings } as never
  const { node } = parseNodeRecipe({ schema: 1, name: 'shop', node: { gate }, environments: { here: {} } })
  const values = { SLOT: 'blue', LINE: 'a\nb' }
  const release: ServedRelease = {
    version: '1.0.0',
    folder: '/var/shop/releases/1.0.0',
    node,
    values,
    secrets: {},
    role: undefined,
    account: undefined,
  }
  return outsidePlaces(kind, release, { paths, identity: { ...identity, ...more } })
}

const isRoot = process.geteuid!() === 0

describe('where a release meets the server in front', () => {
  it('needs nothing said: Debian’s places, and the application’s name', () => {
    const folder = isRoot
      ? expect.stringMatching(/^\/run\/cutover\/cutover-shop-[0-9a-f]{8}$/)
      : '/var/shop/run/waiting'
    expect(places('haproxy', {})).toMatchObject({
      waiting: { folder, group: 'haproxy' },
      haproxy: { socket: '/run/haproxy/admin.sock', map: '/var/shop/run/routes.map', key: 'shop', name: 'shop' },
    })
    expect(places('nginx', {})).toMatchObject({
      waiting: { folder, group: 'www-data' },
      nginx: { name: 'shop', file: '/etc/nginx/conf.d/cutover-shop.conf', pidFile: '/run/nginx.pid' },
    })
  })

  it('has another name for each slot of a site', () => {
    const slot = { site: '/srv/www', name: 'blue' }
    expect(places('haproxy', {}, { slot })).toMatchObject({ haproxy: { key: 'shop-blue', name: 'shop-blue' } })
  })

  it('is below the chroot of HAProxy, if it has one', () => {
    expect(places('haproxy', { chroot: '/var/lib/haproxy' }).waiting.folder).toMatch(
      /^\/var\/lib\/haproxy\/cutover\/cutover-shop-[0-9a-f]{8}$/,
    )
  })

  it('takes the variables of the environment, so that two slots differ', () => {
    expect(places('haproxy', { name: 'shop-blue', key: '${SLOT}', map: '/etc/haproxy/${SLOT}.map' })).toMatchObject({
      haproxy: { key: 'blue', map: '/etc/haproxy/blue.map', name: 'shop-blue' },
    })
  })

  it.each([{ socket: 'admin.sock' }, { map: '${SLOT}.map' }, { folder: '.' }])('is no relative path: %j', settings => {
    expect(() => places('haproxy', settings)).toThrowError(expect.objectContaining({ code: 'GATE_SERVER_SETTINGS' }))
  })

  it('does not fill in what nobody knows', () => {
    expect(() => places('nginx', { file: '/etc/${NOBODY}' })).toThrowError(
      expect.objectContaining({ code: 'RECIPE_PLACEHOLDER' }),
    )
  })
})
