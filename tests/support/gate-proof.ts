import fs from 'node:fs'
import path from 'node:path'
import { type Fixture, fixtureVersions } from '../../fixtures/make-repository.ts'
import { brokenPromises, startLoad } from '../../scripts/load/load.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { fixtureRepository } from './crash-releases.ts'
import type { BuiltCutover } from './killed-cutover.ts'
import { type LastingClients, startEventStreams, startTunnels, startUploads, type Upload } from './lasting-clients.ts'
import { memoryFolder, tempFolder } from './temp.ts'
import { startWeaveLoad } from './weave-load.ts'
import { startWrk, type WrkReport } from './wrk.ts'

/** A prefix with a fixture, at the first of two versions. */
export interface ProofPrefix {
  readonly paths: PrefixPaths
  readonly versions: readonly [string, string]
  readonly install: (version: string) => readonly string[]
}

/** Install a fixture from a repository, as an operator does. */
export async function proofPrefix(cutover: BuiltCutover, fixture: Fixture): Promise<ProofPrefix> {
  const [first, second] = fixtureVersions(fixture)
  const versions = [first, second!] as const
  const change = fixture === 'notes' ? withTunnels : undefined
  const repository = await fixtureRepository(tempFolder(), fixture, versions, change)
  const paths = prefixPaths(path.join(memoryFolder(), 'prefix'))
  // From the second to the first it is a downgrade, which costs clients what an upgrade does.
  const install = (version: string) => ['install', '--version', version, '--allow-downgrade', '--prefix', paths.root]
  const from = ['--repository', repository.url, '--application', repository.application, '--set', 'PORT=0']
  for (const args of [['init', paths.root, ...from], install(first)]) {
    const end = await cutover.run(args)
    if (end.exitCode !== 0) throw new Error(`${args.join(' ')}: ${end.stdout}${end.stderr}`)
  }
  return { paths, versions, install }
}

/** The notes service with tunnels: tunnel-echo.mjs is loaded before it. */
function withTunnels(checkout: string): string {
  const folder = path.join(tempFolder(), 'checkout')
  fs.cpSync(checkout, folder, { recursive: true, verbatimSymlinks: true })
  fs.copyFileSync(path.join(import.meta.dirname, 'tunnel-echo.mjs'), path.join(folder, 'tunnel-echo.mjs'))
  const recipe = path.join(folder, 'release.yaml')
  const text = fs
    .readFileSync(recipe, 'utf8')
    .replace('["${runtime}", server.js]', '["${runtime}", --import, ./tunnel-echo.mjs, server.js]')
    .replace('    - { from: server.js }\n', '    - { from: server.js }\n    - { from: tunnel-echo.mjs }\n')
  fs.writeFileSync(recipe, text)
  return folder
}

/** What all clients of a service met. */
export interface ProofReport {
  /** Answers, those of wrk among them, and events, words and whole uploads. */
  readonly answered: number
  readonly failures: readonly string[]
  readonly parts: Readonly<Record<string, number>>
}

/** Put all kinds of clients on a fixture. */
export async function startProofLoad(fixture: Fixture, url: string): Promise<{ stop: () => Promise<ProofReport> }> {
  return fixture === 'notes' ? startNotesLoad(url) : startWeaveProof(url)
}

function startNotesLoad(url: string): { stop: () => Promise<ProofReport> } {
  const wrk = startWrk(`${url}/notes?limit=5`, 4)
  const load = startLoad({ url, readers: 3, writers: 2, slowReaders: 1, slowMs: 150, pauseMs: 20 })
  let count = 0
  const uploads = startUploads(2, () => {
    count += 1
    const text = `upload ${count} ${'u'.repeat(20_000)}`
    const headers = { 'Content-Type': 'application/json' }
    const isWhole = (status: number, answer: string) => status === 201 && JSON.parse(answer).text === text
    return { method: 'POST', url: `${url}/notes`, headers, ...slowly(JSON.stringify({ text })), isWhole }
  })
  const events = startEventStreams(`${url}/events`, 2)
  const tunnels = startTunnels(Number(new URL(url).port), 2)
  return {
    async stop() {
      // Writers and readers ask in the end for everything that was stored: until then all go on.
      const report = await load.stop()
      const promises = brokenPromises(report).concat(
        report.failures.map(({ request, reason }) => `${request}: ${reason}`),
      )
      const ended = await endAll(wrk, { uploads, events, tunnels })
      return {
        answered: ended.answered + report.sent,
        failures: [...promises, ...ended.failures],
        parts: { ...ended.parts, clients: report.sent },
      }
    },
  }
}

async function startWeaveProof(url: string): Promise<{ stop: () => Promise<ProofReport> }> {
  const uid = 900
  const { id: token } = (await (await fetch(`${url}/token/1.0/sync/1.5?uid=${uid}`)).json()) as { id: string }
  const wrk = startWrk(`${url}/token/1.0/sync/1.5?uid=1`, 4)
  const load = startWeaveLoad(url, { clients: 3, pauseMs: 20 })
  let count = 0
  const uploads = startUploads(2, () => {
    count += 1
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
    const place = `${url}/1.5/${uid}/storage/uploads/object-${count}`
    const isWhole = (status: number) => status === 200
    return { method: 'PUT', url: place, headers, ...slowly(JSON.stringify({ payload: 'u'.repeat(20_000) })), isWhole }
  })
  return {
    async stop() {
      const report = await load.stop()
      const ended = await endAll(wrk, { uploads })
      return {
        answered: ended.answered + report.answered,
        failures: [
          ...report.failures,
          ...(report.lost === 0 ? [] : [`${report.lost} objects lost`]),
          ...ended.failures,
        ],
        parts: { ...ended.parts, clients: report.answered },
      }
    },
  }
}

/** Long enough that some are on their way at each moment, short enough for a drain. */
function slowly(text: string): Pick<Upload, 'body' | 'pieces' | 'pauseMs'> {
  return { body: Buffer.from(text), pieces: 20, pauseMs: 15 }
}

async function endAll(
  wrk: { readonly stop: () => Promise<WrkReport> },
  clients: Readonly<Record<string, LastingClients>>,
): Promise<ProofReport> {
  const named = await Promise.all(
    Object.entries(clients).map(async ([name, client]) => [name, await client.stop()] as const),
  )
  const { requests, failures, text } = await wrk.stop()
  return {
    answered: requests + named.reduce((sum, [, { answered }]) => sum + answered, 0),
    failures: [...named.flatMap(([, report]) => report.failures), ...(failures === 0 ? [] : [`wrk: ${text}`])],
    parts: { wrk: requests, ...Object.fromEntries(named.map(([name, { answered }]) => [name, answered])) },
  }
}

/** What a process has in memory, in bytes. Source: proc(5), VmRSS. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found![1]) * 1024
}
