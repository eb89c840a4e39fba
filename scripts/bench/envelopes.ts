/*
 * node scripts/bench/envelopes.ts FOLDER OUTPUT [--cache FOLDER] [--level N] [--codec zstd|gzip] [--prove] [--times]
 *
 * Make everything that `release cut` makes of a tree, in one process from start to exit: tarball, .deb with md5sums, image layout, manifest,
 * SBOM. `payload.ts` times it beside its peers.
 */
import { parseArgs } from 'node:util'
import { enableCompileCache } from '../../src/sys/compile-cache.ts'

enableCompileCache()
// Imported only now, so that the cache covers everything below, as in the executables.
const { makeEnvelopes } = await import('./lib/make-envelopes.ts')

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cache: { type: 'string' },
    level: { type: 'string', default: '3' },
    codec: { type: 'string', default: 'zstd' },
    prove: { type: 'boolean', default: false },
    times: { type: 'boolean', default: false },
  },
})
const [folder, output] = positionals
if (folder === undefined || output === undefined)
  throw new Error('usage: node scripts/bench/envelopes.ts FOLDER OUTPUT')
const times = await makeEnvelopes({
  folder,
  output,
  cache: values.cache,
  level: Number(values.level),
  codec: values.codec === 'gzip' ? 'gzip' : 'zstd',
  prove: values.prove,
})
if (values.times) {
  for (const { what, atMs } of times) process.stderr.write(`${atMs.toFixed(0).padStart(6)} ms  ${what}\n`)
  process.stderr.write(`${(process.resourceUsage().maxRSS / 1024).toFixed(0).padStart(6)} MiB at most\n`)
}
