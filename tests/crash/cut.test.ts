import fs from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import type { TestRepository } from '../support/git-repository.ts'
import { type KillPoint, sample } from '../support/kill-points.ts'
import { recordCut, runCut, untilNothingRuns, workspacesOf } from '../support/killed-cut.ts'
import { type PingOptions, pingRepository } from '../support/ping-app.ts'

/** More than there are cores: a cut waits for other processes most of the time. */
const atOnce = 4
let cases = 0

afterAll(() => console.log(`${cases} cuts were killed and run again`))

describe('a cut that is killed', () => {
  it('at operations around its end has made the release or nothing', async () => {
    await killAtEach(bare, points =>
      sample(
        points.filter(({ step }) => ['complete', 'tag'].includes(step)),
        6,
      ),
    )
  })

  it('before it has done anything leaves nothing in the way', async () => {
    await killAtEach(bare, points =>
      sample(
        points.filter(({ step }) => ['start', 'preflight'].includes(step)),
        6,
      ),
    )
  })

  it('at other operations leaves nothing of it, and nothing running', async () => {
    await killAtEach({}, points =>
      sample(
        points.filter(({ step }) => !['start', 'preflight', 'complete', 'tag'].includes(step)),
        8,
      ),
    )
  })
})

/** An application without tests, build and services: what is left are the operations around them. */
const bare: PingOptions = {
  files: {
    'release.yaml': `schema: 1
name: ping
summary: Says which version runs
licence: Apache-2.0
maintainer: Ada Example <ada@example.org>
source:
  versionFiles: [{ path: package.json, json: version }]
payload:
  root: opt/ping
  entries: [{ from: server.js }, { from: package.json }]
`,
  },
}

/** Kill a cut at each of the chosen operations, each time in a repository of its own. */
async function killAtEach(options: PingOptions, choose: (points: readonly KillPoint[]) => readonly KillPoint[]) {
  const undisturbed = pingRepository(options)
  const points = [...choose(await recordCut(undisturbed))]
  const wanted = digestsIn(undisturbed)
  const work = async () => {
    for (let point = points.shift(); point !== undefined; point = points.shift()) {
      await killAt(point, pingRepository(options), wanted)
      cases += 1
    }
  }
  expect(points.length).toBeGreaterThan(5)
  await Promise.all(Array.from({ length: atOnce }, work))
}

async function killAt(point: KillPoint, repository: TestRepository, wanted: Readonly<Record<string, string>>) {
  const at = `killed in ${point.step} after ${point.operation}, ${point.what}`
  const before = repository.state()
  const from = head(repository)
  expect((await runCut(repository, point)).signal, at).toBe('SIGKILL')
  await untilNothingRuns(repository)
  const isTagged = repository.git('tag') !== ''
  expect(head(repository) !== from, at).toBe(isTagged)
  if (!isTagged) expect(repository.state(), at).toBe(before)

  const again = await runCut(repository)
  if (isTagged && again.exitCode !== 0) expect(again.stdout, at).toContain('"TAG_EXISTS"')
  else expect(again.exitCode, `${at}\n${again.stdout}`).toBe(0)
  expect(repository.git('tag'), at).toBe('v1.0.0\n')
  expect(repository.git('rev-parse', 'v1.0.0^{commit}', 'main^1'), at).toBe(`${head(repository)}\n${from}\n`)
  expect(repository.git('status', '--porcelain'), at).toBe('')
  expect(digestsIn(repository), at).toEqual(wanted)
  expect(workspacesOf(repository), at).toEqual([])
  expect(fs.readdirSync(path.join(repository.folder, '.git/cutover')), at).toEqual(['lock'])
}

function head(repository: TestRepository): string {
  return repository.git('rev-parse', 'main').trim()
}

/** The digest of everything in `dist`, by its path there. */
function digestsIn(repository: TestRepository): Readonly<Record<string, string>> {
  const dist = path.join(repository.folder, 'dist')
  const entries = fs.readdirSync(dist, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const files = entries.map(entry => path.join(entry.parentPath, entry.name)).sort()
  return Object.fromEntries(files.map(file => [path.relative(dist, file), digestOf(fs.readFileSync(file))]))
}
