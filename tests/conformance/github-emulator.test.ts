import fs from 'node:fs'
import path from 'node:path'
import { Octokit } from '@octokit/rest'
import { expect, it } from 'vitest'
import { planAssets } from '../../src/repository/outlets/github/assets.ts'
import { openOutlet } from '../../src/repository/outlets/open.ts'
import { emulatorToken, githubEmulator } from '../support/github-emulator.ts'
import { makeOutletRelease, newest, outletTools } from '../support/outlet-tools.ts'
import { tempFolder } from '../support/temp.ts'

const base = tempFolder()
const repository = { owner: 'ada', repo: 'notes' }

it("publishes to the emulator of GitHub's API, changes channels there, and finds all of it again", async () => {
  const url = await githubEmulator()
  const { rest } = new Octokit({ baseUrl: url, auth: emulatorToken })
  const head = await rest.git.getRef({ ...repository, ref: 'heads/main' })
  const { sha } = head.data.object
  const tree = (await rest.git.getCommit({ ...repository, commit_sha: sha })).data.tree.sha
  const outlet = await openOutlet('github:ada/notes', {
    environment: { GITHUB_API_URL: url, GITHUB_TOKEN: emulatorToken },
    cwd: base,
  })
  const distFolder = fs.mkdtempSync(path.join(base, 'dist-'))
  const releases = []
  for (const version of ['1.0.0', '1.1.0-rc.1']) {
    const tag = `v${version}`
    await rest.git.createRef({ ...repository, ref: `refs/tags/${tag}`, sha })
    const release = makeOutletRelease({ distFolder, version, tag, tree, evidence: true }, newest)
    const tools = outletTools(release.folder)
    await outlet.check(release, tools)
    expect(await outlet.publish(release, tools)).toMatchObject({ kind: 'published' })
    expect(await outlet.publish(release, tools)).toMatchObject({ kind: 'unchanged' })
    const { data } = await rest.repos.getReleaseByTag({ ...repository, tag })
    expect(data).toMatchObject({ draft: false, prerelease: version !== '1.0.0', name: `notes ${version}` })
    expect(data.assets.map(({ name }) => name).sort()).toEqual(
      planAssets(release)
        .map(({ name }) => name)
        .sort(),
    )
    releases.push(release)
  }
  expect((await rest.repos.listReleases(repository)).data).toHaveLength(2)
  const [first] = releases
  const standing = { heads: [], vacated: ['stable'], isStable: false, isLatest: false, yanked: { reason: 'bad' } }
  expect(await outlet.moveChannels([{ ...first!, standing }], outletTools(first!.folder))).toMatchObject({
    kind: 'published',
  })
  const { data } = await rest.repos.getReleaseByTag({ ...repository, tag: 'v1.0.0' })
  expect(data).toMatchObject({ prerelease: true, body: expect.stringContaining('withdrawn') })
})
