/*
 * node scripts/bench/registry.ts FOLDER [RUNS]
 *
 * Push an image with a folder as its layer to Docker's registry on loopback and pull it again; beside it, in the same session, what
 * `skopeo copy` takes for the same. Each run has a registry of its own, so that nothing is there before.
 * Times are medians, lowest and highest; everything lies below TMPDIR: use a tmpfs.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { canonicalJson } from '../../src/core/canonical-json.ts'
import { Digester, digestOf, hexOf } from '../../src/core/digest.ts'
import { formatBytes } from '../../src/core/quantity.ts'
import { pullImage } from '../../src/registry/pull.ts'
import { pushImage } from '../../src/registry/push.ts'
import { parseReference } from '../../src/registry/reference.ts'
import { delay, systemClock } from '../../src/sys/clock.ts'
import { untilListening } from '../../tests/support/ports.ts'

const [tree, runsText = '5'] = process.argv.slice(2)
if (tree === undefined) throw new Error('usage: node scripts/bench/registry.ts FOLDER [RUNS]')
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
const at = (...names: string[]) => path.join(work, ...names)
const options = { plainHttp: false, environment: {}, onProgress: () => {} }
const tools = {
  clock: systemClock,
  wait: delay,
  random: Math.random,
  warn: (_code: string, message: string) => void process.stderr.write(`${message}\n`),
  signal: new AbortController().signal,
}

try {
  const layerBytes = await makeLayout(path.resolve(tree))
  process.stdout.write(`one layer of ${formatBytes(layerBytes)}\n`)
  const times: Record<string, number[]> = {
    'push, cutover': [],
    'push, skopeo': [],
    'pull, cutover': [],
    'pull, skopeo': [],
    'push again, cutover': [],
    'push again, skopeo': [],
  }
  for (let run = 0; run < Number(runsText); run += 1) {
    await withRegistry(async host => {
      const reference = parseReference(`${host}/bench/ours:1`)
      const push = () => pushImage({ ...options, folder: at('image'), name: reference, tags: ['1'] }, tools)
      times['push, cutover']!.push(await timed(push))
      times['push again, cutover']!.push(await timed(push))
      times['pull, cutover']!.push(await timed(() => pullImage({ ...options, reference, folder: at('ours') }, tools)))
    })
    await withRegistry(async host => {
      const push = () => copy('--dest-tls-verify=false', `oci:${at('image')}:1`, `docker://${host}/bench/theirs:1`)
      times['push, skopeo']!.push(await timed(push))
      times['push again, skopeo']!.push(await timed(push))
      const pull = () => copy('--src-tls-verify=false', `docker://${host}/bench/theirs:1`, `oci:${at('theirs')}:1`)
      times['pull, skopeo']!.push(await timed(pull))
    })
    for (const name of ['ours', 'theirs']) fs.rmSync(at(name), { recursive: true, force: true })
  }
  for (const [what, list] of Object.entries(times)) process.stdout.write(`${what.padEnd(20)} ${describe(list)}\n`)
} finally {
  fs.rmSync(work, { recursive: true, force: true })
}

async function makeLayout(source: string): Promise<number> {
  fs.mkdirSync(at('image', 'blobs', 'sha256'), { recursive: true })
  execFileSync('tar', ['-cf', at('layer.tar'), '-C', source, '.'])
  execFileSync('zstd', ['-q', '-3', '-T2', at('layer.tar'), '-o', at('layer.tar.zst')])
  const diffId = await digestFile(at('layer.tar'))
  const digest = await digestFile(at('layer.tar.zst'))
  fs.rmSync(at('layer.tar'))
  fs.renameSync(at('layer.tar.zst'), at('image', 'blobs', 'sha256', hexOf(digest)))
  const { size } = fs.statSync(at('image', 'blobs', 'sha256', hexOf(digest)))
  const types = 'application/vnd.oci.image'
  const config = put(
    { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId] } },
    `${types}.config.v1+json`,
  )
  const layers = [{ mediaType: `${types}.layer.v1.tar+zstd`, digest, size }]
  const manifest = put(
    { schemaVersion: 2, mediaType: `${types}.manifest.v1+json`, config, layers },
    `${types}.manifest.v1+json`,
  )
  const entry = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': '1' } }
  fs.writeFileSync(at('image', 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  fs.writeFileSync(at('image', 'index.json'), canonicalJson({ schemaVersion: 2, manifests: [entry] }))
  return size
}

function put(document: unknown, mediaType: string) {
  const bytes = Buffer.from(canonicalJson(document))
  const digest = digestOf(bytes)
  fs.writeFileSync(at('image', 'blobs', 'sha256', hexOf(digest)), bytes)
  return { mediaType, digest, size: bytes.byteLength }
}

async function digestFile(file: string) {
  const digester = new Digester()
  for await (const piece of fs.createReadStream(file, { highWaterMark: 1024 * 1024 })) digester.update(piece)
  return digester.digest()
}

async function copy(verify: string, from: string, to: string): Promise<void> {
  execFileSync('skopeo', ['copy', '-q', verify, from, to], { stdio: 'inherit' })
}

async function withRegistry(body: (host: string) => Promise<void>): Promise<void> {
  const server = net.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise(resolve => server.close(resolve))
  const storage = { filesystem: { rootdirectory: at('registry') } }
  const log = { level: 'error', accesslog: { disabled: true } }
  fs.writeFileSync(
    at('registry.json'),
    JSON.stringify({ version: 0.1, log, storage, http: { addr: `127.0.0.1:${port}` } }),
  )
  const child = spawn('docker-registry', ['serve', at('registry.json')], { stdio: 'ignore' })
  try {
    await untilListening(port)
    await body(`127.0.0.1:${port}`)
  } finally {
    await ended(child)
    fs.rmSync(at('registry'), { recursive: true, force: true })
  }
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exit
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await run()
  return performance.now() - startedMs
}

function describe(list: readonly number[]): string {
  const sorted = list.toSorted((a, b) => a - b)
  const [lowest, median, highest] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
  return `${median?.toFixed(0).padStart(6)} ms  (${lowest?.toFixed(0)} to ${highest?.toFixed(0)})`
}
