/*
 * node tests/support/pack-folder.ts FOLDER
 *
 * Pack a few files that it writes to FOLDER and print the digests of tarball and manifest: a process of its own, so that a test can
 * run it with another number of cores, umask, locale, time zone and clock.
 */
import { digestOf } from '../../src/core/digest.ts'
import { manifestBytes } from '../../src/payload/manifest.ts'
import { noise, testPayload, testTree } from './payload.ts'

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: node tests/support/pack-folder.ts FOLDER')
const text = (seed: number) =>
  noise(3_000_000, seed)
    .toString('latin1')
    .replaceAll(/[^a-z]+/g, ' ')
const files = {
  'b/run.sh': '#!/bin/sh\n',
  'a/large': noise(9_000_000),
  'a/text': text(2),
  'c/text': text(3),
  'd/text': text(4),
  'e/é': { link: '../a/text' },
}
const { artifact, manifest } = await testPayload(folder, testTree(`${folder}/tree`, files))
process.stdout.write(`${artifact.digest}\n${digestOf(manifestBytes(manifest))}\n`)
