import { expect, it } from 'vitest'
import { packageUrl } from '../../../src/evidence/purl.ts'

it.each([
  [{ type: 'npm', namespace: '@angular', name: 'animation', version: '12.3.1' }, 'pkg:npm/%40angular/animation@12.3.1'],
  [{ type: 'npm', name: 'JSONStream' }, 'pkg:npm/JSONStream'],
  [
    {
      type: 'deb',
      namespace: 'debian',
      name: 'libstdc++6',
      version: '1:14.2~rc+1',
      qualifiers: { distro: 'debian-13', arch: 'amd64', empty: undefined },
    },
    'pkg:deb/debian/libstdc%2B%2B6@1:14.2~rc%2B1?arch=amd64&distro=debian-13',
  ],
  [{ type: 'oci', name: 'debian', version: 'sha256:244f' }, 'pkg:oci/debian@sha256:244f'],
  [
    { type: 'generic', name: "a b/c?#(!)'*", version: '\ud800' },
    'pkg:generic/a%20b%2Fc%3F%23%28%21%29%27%2A@%EF%BF%BD',
  ],
] as const)('writes %j', (parts, expected) => {
  expect(packageUrl(parts)).toBe(expected)
})
