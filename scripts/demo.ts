/*
 * The whole chain on a real application, with real processes and a load that counts every request. Ends with exit code 1 when a
 * promise is broken. Everything is below one temporary folder, which stays; every address is on the loopback interface.
 */
import { commitChange, makeFixtureRepository } from '../fixtures/make-repository.ts'
import { renderTable } from '../src/cli/report/table.ts'
import { formatBytes, formatDuration } from '../src/core/quantity.ts'
import type { InstallResult } from '../src/flow/install-report.ts'
import { freePort } from '../tests/support/ports.ts'
import { announce, answering, Stage, tell } from './lib/demo-stage.ts'
import { brokenPromises, type LoadReport } from './load/load.ts'
import { spawnLoad } from './load/spawn.ts'

const startedMs = performance.now()
await using stage = new Stage()
const checkout = stage.at('notes')
const prefix = stage.at('srv')
const repositoryAddress = `127.0.0.1:${await freePort()}`
const applicationAddress = `127.0.0.1:${await freePort()}`
const applicationUrl = `http://${applicationAddress}`
const broken: string[] = []

announce('An application: a notes service with SQLite, npm dependencies and an event stream')
await makeFixtureRepository({ fixture: 'notes', folder: checkout })
tell(`Its git repository is ${checkout}, its recipe ${stage.at('notes/release.yaml')}.`)

announce('A vendor repository: plain files with signatures, and their keys elsewhere')
await stage.succeed(checkout, 'release', 'init', '../repository', '--keys', '../keys', '--application', 'notes')
stage.start(checkout, 'repository.log', 'release', 'serve', '../repository', '--listen', repositoryAddress)

announce('Version 1.1.3: tested, built, rehearsed, tagged, published')
await publish('1.1.3')

announce('A server: a prefix for the application, version 1.1.3 in it, and a process that serves it')
await answering(`http://${repositoryAddress}/`)
const target = ['--repository', `http://${repositoryAddress}`, '--application', 'notes', '--environment', 'production']
await stage.succeed(stage.folder, 'cutover', 'init', 'srv', ...target)
await stage.succeed(prefix, 'bin/install', '--version', '1.1.3')
stage.start(stage.folder, 'serve.log', 'cutover', 'serve', 'srv', '--listen', applicationAddress)
await answering(`${applicationUrl}/health`)

announce('Load: readers, writers, slow requests and an event stream; every note and every event is checked')
const load = spawnLoad({ url: applicationUrl, pauseMs: 20 })
tell(`on ${applicationUrl}, until the end of the demo`)

announce('Version 1.1.4, with a migration of the data: installed under load')
await commitChange({ fixture: 'notes', folder: checkout, version: '1.1.4' })
await publish('1.1.4')
const upgrade = (await stage.succeed(prefix, 'bin/install', '--version', '1.1.4')) as InstallResult
await expectServed('1.1.4')

announce('Version 1.1.5, which fails on data that only production has: taken back by itself')
await commitChange({ fixture: 'notes', folder: checkout, version: '1.1.5' })
await publish('1.1.5')
const longestUpgradeMs = load.snapshot()?.longestMs ?? 0
const failing = await stage.run(prefix, 'bin/install', '--version', '1.1.5')
if (failing.errorCode !== 'INSTALL_UNHEALTHY') broken.push(`1.1.5 was not found unhealthy (${failing.errorCode})`)
await expectServed('1.1.4')
await stage.succeed(prefix, 'bin/why')

announce('What is left')
const report = await load.stop()
broken.push(...brokenPromises(report))
await stage.succeed(prefix, 'bin/status')
await stage.succeed(prefix, 'bin/history')
const served = await stage.succeed(prefix, 'bin/verify')
if (served === undefined) broken.push('the installed files were not verified')

announce('What it cost')
tellTable(report, upgrade)
announce(broken.length === 0 ? 'Every promise was kept' : 'Broken promises')
for (const promise of broken) tell(`✗ ${promise}`)
tellPlaces()
tell(`\nThe demo took ${formatDuration(performance.now() - startedMs)}.`)
if (broken.length > 0) process.exitCode = 1

async function publish(version: string): Promise<void> {
  await stage.succeed(checkout, 'release', 'cut', version)
  await stage.succeed(checkout, 'release', 'upload', version)
}

async function expectServed(version: string): Promise<void> {
  const health = (await (await fetch(`${applicationUrl}/health`)).json()) as { readonly version?: string }
  if (health.version !== version) broken.push(`${health.version} answers, expected ${version}`)
}

function tellTable(load: LoadReport, upgrade: InstallResult): void {
  const { fetchedBytes, releaseBytes, heldRequests, holdMs } = upgrade
  const rows = [
    ['requests sent', `${load.sent}`],
    ['failed', `${load.failed}`],
    ['turned away with a time to come again', `${load.backedOff}`],
    ['notes created, lost', `${load.notes.created}, ${load.notes.lost}`],
    ['events seen, missed', `${load.stream.events}, ${load.stream.missed}`],
    ['held during the upgrade to 1.1.4', `${heldRequests ?? 'none'}`],
    ['from hold to release', holdMs === undefined ? 'not held' : formatDuration(holdMs)],
    ['longest wait of a request, until 1.1.5 came', formatDuration(longestUpgradeMs)],
    ['longest wait of a request, 1.1.5 included', formatDuration(load.latency.longestMs)],
    ['fetched for the upgrade', formatBytes(fetchedBytes)],
    ['size of the release', formatBytes(releaseBytes)],
  ]
  for (const line of renderTable({ columns: ['', ''], rows })) tell(line)
}

function tellPlaces(): void {
  const rows = [
    [stage.at('notes/release.yaml'), 'the recipe: all that an application has to say'],
    [stage.at('notes/dist/1.1.4'), 'what cut made: tarball, .deb, image, record'],
    [stage.at('repository/index.html'), 'the vendor repository, for a browser'],
    [stage.at('srv/journal/journal.ndjson'), 'everything that was done to the prefix'],
    [stage.at('srv/releases'), 'the installed releases; srv/current is the active one'],
    [stage.at('serve.log'), 'what the serving process said'],
  ]
  tell('\nTo look at (the folder stays until you remove it):')
  for (const line of renderTable({ columns: ['', ''], rows })) tell(line)
}
