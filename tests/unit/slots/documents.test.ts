import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseSite, type SiteDocument, siteText } from '../../../src/slots/document.ts'
import { parseUnderWay } from '../../../src/slots/parse-under-way.ts'
import { parseProgress, type SwitchProgress } from '../../../src/slots/progress.ts'

const site: SiteDocument = {
  schema: 1,
  name: 'www',
  slots: { blue: '/srv/blue', green: '/srv/green' },
  roles: ['production', 'development'],
  router: { kind: 'haproxy', socket: '/run/haproxy/admin.sock', map: '/srv/www/routes.map' },
}
const progress: SwitchProgress = {
  schema: 1,
  before: { production: 'blue', development: 'green' },
  goal: { production: 'green', development: 'blue' },
  direction: 'forward',
  isCrossing: true,
  step: 'start:green',
  beganAtMs: 1,
  by: 'root@host',
}

const codeOf = (parse: () => unknown): string | undefined => {
  try {
    parse()
    return undefined
  } catch (caught) {
    return (caught as { readonly code?: string }).code ?? String(caught)
  }
}
const siteCode = (value: unknown) => codeOf(() => parseSite(JSON.stringify(value), 'x'))
const progressCode = (value: unknown) => codeOf(() => parseProgress(JSON.stringify(value), 'x'))

it('reads a site that it wrote', () => {
  expect(parseSite(siteText(site), 'x')).toEqual(site)
  const nginx = { kind: 'nginx', pidFile: '/run/nginx.pid', check: ['nginx', '-T'] } as const
  expect(parseSite(siteText({ ...site, router: nginx, front: '127.0.0.1:80' }), 'x').router).toEqual(nginx)
})

it.each<[string, object]>([
  ['a slot without an absolute folder', { slots: { blue: 'srv', green: '/srv/green' } }],
  ['a slot called as what is nowhere', { slots: { none: '/srv/none', green: '/srv/green' } }],
  ['two slots in one folder', { slots: { blue: '/srv/x', green: '/srv/x' } }],
  ['one role', { roles: ['production'], slots: { blue: '/srv/blue' } }],
  ['a role twice', { roles: ['production', 'production'] }],
  ['more slots than roles', { slots: { blue: '/b', green: '/g', red: '/r' } }],
  ['no server in front', { router: undefined }],
  ['a server that is neither', { router: { kind: 'caddy' } }],
  ['a path that breaks a line', { router: { kind: 'haproxy', socket: '/a\nb', map: '/m' } }],
])('refuses %s', (_, change) => {
  expect(siteCode({ ...site, ...change })).toBe('DOCUMENT_INVALID')
})

it('refuses what is newer, cut off or anything else, always with a code', () => {
  expect([siteCode({ ...site, schema: 2 }), progressCode({ ...progress, schema: 2 })]).toEqual([
    'DOCUMENT_NEWER',
    'DOCUMENT_NEWER',
  ])
  for (const text of [siteText(site).trimEnd(), JSON.stringify(progress)]) {
    const parse = text.includes('isCrossing') ? parseProgress : parseSite
    for (let length = 0; length < text.length; length += 1)
      expect(codeOf(() => parse(text.slice(0, length), 'x'))).toBe('DOCUMENT_INVALID')
  }
  const coded = (code: string | undefined) => code === undefined || /^DOCUMENT_(INVALID|NEWER)$/.test(code)
  fc.assert(fc.property(fc.jsonValue(), value => coded(siteCode(value)) && coded(progressCode(value))))
})

it('reads how far a switch is, and nothing that could mislead a recovery', () => {
  expect(parseProgress(JSON.stringify(progress), 'x')).toEqual(progress)
  const twice = { production: 'blue', development: 'blue' }
  for (const change of [
    { goal: twice },
    { direction: 'up' },
    { isCrossing: 1 },
    { step: undefined },
    { beganAtMs: 0.5 },
  ])
    expect(progressCode({ ...progress, ...change })).toBe('DOCUMENT_INVALID')
})

it('reads from HAProxy how many requests a backend has', () => {
  const text = '# pxname,svname,qcur,qmax,scur,smax,\nwww-blue,gate,0,0,3,9,\nwww-blue,BACKEND,2,2,5,9,\n'
  expect(parseUnderWay(text, 'www-blue')).toBe(5)
  expect(parseUnderWay(text, 'www-green')).toBeUndefined()
  expect(parseUnderWay('', 'www-blue')).toBeUndefined()
  expect(parseUnderWay('# pxname,svname\nwww-blue,BACKEND\n', 'www-blue')).toBeUndefined()
})
