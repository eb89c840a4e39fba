import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { cut } from '../../src/flow/cut.ts'
import { verifyRelease } from '../../src/flow/repository-verify.ts'
import { upload } from '../../src/flow/upload.ts'
import { parseReleaseRecord } from '../../src/payload/release-record.ts'
import { makeRepository } from '../support/made-repository.ts'
import { pingRepository } from '../support/ping-app.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const components = `components:
  - name: ping-greetings
    summary: What ping says
    payload:
      root: usr/share/ping
      codec: gzip
      entries: [{ from: greetings, to: . }]
    deb: { section: doc }
  - name: ping-client
    summary: Asks ping which version runs
    payload:
      root: usr/lib/ping-client
      entries: [{ from: client.sh, mode: "0755" }]
    deb: { depends: ["ping-greetings (= \${debianVersion})"] }
`
const files = { 'greetings/en': 'hello\n', 'client.sh': '#!/bin/sh\n' }
const version = '1.0.0-rc.1'

it.skipIf(!needTool('dpkg-deb'))('a release of several packages is cut, published and verified', async () => {
  const { folder: cwd, environment } = pingRepository({ recipe: components, files })
  await cut({ cwd, environment, version, snapshot: false, dryRun: false }, recordedTools())

  const inRelease = (...names: string[]) => path.join(cwd, 'dist', version, ...names)
  const record = parseReleaseRecord(fs.readFileSync(inRelease('release.json')))
  const kinds = record.components.map(({ name, artifacts }) => [name, ...artifacts.map(({ kind }) => kind)])
  expect(kinds[0]).toEqual(
    expect.arrayContaining(['ping', 'source', 'tarball', 'manifest', 'sbom', 'deb', 'oci', 'provenance']),
  )
  expect(kinds.slice(1)).toEqual([
    ['ping-greetings', 'tarball', 'manifest', 'deb', 'sbom'],
    ['ping-client', 'tarball', 'manifest', 'deb', 'sbom'],
  ])
  const read = (...args: string[]) => execFileSync('dpkg-deb', args, { encoding: 'utf8' })
  expect(read('--contents', inRelease('ping-greetings_1.0.0~rc.1-1_all.deb'))).toContain(' ./usr/share/ping/en\n')
  const client = inRelease('ping-client_1.0.0~rc.1-1_all.deb')
  expect(read('--field', client, 'Depends')).toBe('ping-greetings (= 1.0.0~rc.1-1)\n')
  expect(fs.existsSync(inRelease(`ping-greetings-${version}.tar.gz`))).toBe(true)
  // The recipe describes nothing at length, which Debian wants.
  expect(read('--field', client, 'Description').split('\n').length).toBeGreaterThan(2)

  const { folder: repository, keys } = await makeRepository(tempFolder(), { applications: ['ping'] })
  await upload({ cwd, environment, repository, keys, version, remote: 'origin', planOnly: false }, recordedTools())
  const suite = gunzipSync(fs.readFileSync(path.join(repository, 'dists/edge/main/binary-all/Packages.gz'))).toString()
  expect([...suite.matchAll(/^Package: (.*)$/gm)].map(match => match[1]).toSorted()).toEqual([
    'ping',
    'ping-client',
    'ping-greetings',
  ])
  const tools = recordedTools()
  await verifyRelease({ cwd, environment, repository, keys, version }, tools)
  const compared = tools.events.flatMap(event =>
    event.kind === 'step-done' && event.step === 'compare the envelopes' ? [event.summary] : [],
  )
  expect(compared).toEqual([expect.stringMatching(/ of ping; 1 files .* of ping-greetings; .* of ping-client$/)])
})

it('a release whose packages would not install side by side is refused', async () => {
  const shared = `components:
  - name: ping-copy
    summary: Ping a second time
    payload: { root: opt, entries: [{ from: out, to: ping }] }
    deb: {}
`
  const { folder: cwd, environment } = pingRepository({ recipe: shared })
  const cutting = cut({ cwd, environment, version: '1.0.0', snapshot: false, dryRun: false }, recordedTools())
  await expect(cutting).rejects.toMatchObject({
    code: 'BUILD_OVERLAP',
    details: { path: '/opt/ping/built', packages: ['ping', 'ping-copy'] },
  })
})
