import fc from 'fast-check'
import { expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { baseImageComponent } from '../../../src/evidence/base-image.ts'
import { debianComponents } from '../../../src/evidence/debian.ts'

const status = `Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.41-12
Provides: libc6-api (= 1)
Description: GNU C Library
 Package: not-this
 of several lines
Homepage: https://www.gnu.org/software/libc/

Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.37-2
Pre-Depends: missing | libc6-api, libc6 (>= 2.38)
Depends: bash
Maintainer: Somebody <somebody@example.org>

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: no-version
Status: install ok installed
`
const components = debianComponents(status, { refPrefix: 'x', distribution: { id: 'debian', version: '13' } })

it('lists what is installed', () => {
  expect(components.map(({ bomRef, purl, description }) => [bomRef.value, purl, description])).toEqual([
    ['x/libc6:amd64', 'pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13', 'GNU C Library'],
    ['x/bash:amd64', 'pkg:deb/debian/bash@5.2.37-2?arch=amd64&distro=debian-13', undefined],
  ])
})

it('depends on the alternative that is there, never on itself', () => {
  expect(components.map(({ dependencies }) => [...dependencies].map(ref => ref.value))).toEqual([[], ['x/libc6:amd64']])
})

it('takes the paragraphs of images without dpkg, which have no status', () => {
  const found = debianComponents('Package: tzdata\nVersion: 2026a\nArchitecture: all\n', { refPrefix: 'x' })
  expect(found.map(({ purl }) => purl)).toEqual(['pkg:deb/debian/tzdata@2026a?arch=all'])
})

it('bears any text', () => {
  fc.assert(
    fc.property(fc.string(), text => {
      const found = debianComponents(`${status}\n${text}`, { refPrefix: 'x' })
      expect(new Set(found.map(({ bomRef }) => bomRef.value)).size).toBe(found.length)
    }),
  )
})

it('describes a base image with its packages', () => {
  const digest = digestOf('image')
  const image = baseImageComponent({
    reference: `registry.example:5000/library/debian:13@${digest}`,
    digest,
    platform: 'linux/arm64',
    dpkgStatus: status,
    osRelease: 'PRETTY_NAME="Ubuntu 26.04"\nID=ubuntu\nVERSION_ID="26.04"\n',
  })
  expect(image.name).toBe('registry.example:5000/library/debian')
  expect(image.purl).toBe(`pkg:oci/debian@${digest}?arch=arm64`)
  expect([...image.components].map(({ purl }) => purl)).toEqual([
    'pkg:deb/ubuntu/libc6@2.41-12?arch=amd64&distro=ubuntu-26.04',
    'pkg:deb/ubuntu/bash@5.2.37-2?arch=amd64&distro=ubuntu-26.04',
  ])
  expect([...image.dependencies].map(ref => ref.value)).toEqual([`/${digest}/bash:amd64`])
})
