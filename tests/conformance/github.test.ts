import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { ReleaseError } from '../../src/core/error.ts'
import { planAssets } from '../../src/repository/outlets/github/assets.ts'
import { openOutlet } from '../../src/repository/outlets/open.ts'
import type { Outlet, OutletRelease, OutletTools, Standing } from '../../src/repository/outlets/outlet.ts'
import { RateLimit } from '../../src/sys/rate-limit.ts'
import { codeOfAsync } from '../support/codes.ts'
import { answer, cutAfter, FakeGithub, type GithubFault, loseAnswer } from '../support/github-fake.ts'
import { makeOutletRelease, newest, outletTools, type RecordedOutletTools } from '../support/outlet-tools.ts'
import { tempFolder } from '../support/temp.ts'

const base = tempFolder()
const token = 'ghp_of-the-tests'
const tree = 'b'.repeat(40)
const victim = path.join(import.meta.dirname, '../support/outlet-victim.ts')

let github: FakeGithub
let distFolder: string
let release: OutletRelease
let outlet: Outlet
let tools: RecordedOutletTools

beforeEach(async () => {
  github = await new FakeGithub().start()
  distFolder = fs.mkdtempSync(path.join(base, 'dist-'))
  release = make('1.0.0')
  outlet = await open()
  tools = outletTools(release.folder)
})

function make(version: string, standing: Standing = newest, content = version): OutletRelease {
  const tag = `v${version}`
  github.tags.set(tag, tree)
  const made = makeOutletRelease(
    { distFolder, version, tag, tree, changes: '- something new\n', evidence: true, content },
    standing,
  )
  return { ...made, envelope: { name: `notes-${version}.intoto.jsonl`, bytes: Buffer.from('{"signed":true}\n') } }
}

const open = (environment: Record<string, string> = { GITHUB_TOKEN: token }) =>
  openOutlet('github:ada/notes', { environment: { GITHUB_API_URL: github.url, ...environment }, cwd: base })

const again = (changed: Partial<OutletTools> = {}) =>
  outlet.publish(release, { ...outletTools(release.folder), ...changed })

/** What everybody sees once the release is published. */
function expectPublished(): void {
  const wanted = planAssets(release).map(({ name, digest }) => `${name} uploaded ${digest}`)
  expect(github.published()).toMatchObject([{ tag_name: 'v1.0.0', name: 'notes 1.0.0', prerelease: false }])
  expect(github.published()).toMatchObject([{ assets: wanted.toSorted() }])
  expect(github.releases).toHaveLength(1)
}

/** The calls so far, identifiers left out. */
const log = () => github.calls.map(({ method, path: where }) => `${method} ${where.replaceAll(/\/\d+/g, '/ID')}`)

describe('a release at GitHub', () => {
  it('is a draft until every file is there and proved; the call that shows it is the last', async () => {
    const result = await outlet.publish(release, tools)
    expect(result).toMatchObject({ kind: 'published', url: `${github.url}/ada/notes/releases/tag/v1.0.0` })
    expect(result.sentBytes).toBe(planAssets(release).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
    expectPublished()
    expect(log().at(-1)).toBe('PATCH /releases/ID')
    expect(log().at(-2)).toBe('GET /releases/ID')
    expect(log().at(-3)).toBe('GET /releases/ID/assets?per_page=100&page=1')
    expect(log().filter(line => line.startsWith('PATCH'))).toHaveLength(1)
    expect(github.releases[0]?.body).toMatch(/^- something new\n\n<!-- cutover:release notes 1\.0\.0 sha256:/)
    expect(github.latestId).toBe(github.releases[0]?.id)
  })

  it('is left as it is when it is published, and told when it is not the same', async () => {
    github.settings.immutable = true
    await outlet.publish(release, tools)
    const before = github.calls.length
    expect(await again()).toMatchObject({ kind: 'unchanged', sentBytes: 0 })
    expect(
      log()
        .slice(before)
        .every(line => line.startsWith('GET')),
    ).toBe(true)
    const other = make('1.0.0', newest, 'other content')
    expect(await codeOfAsync(outlet.check(other, tools))).toBe('REPOSITORY_CONFLICT')
    expect(await codeOfAsync(outlet.publish(other, tools))).toBe('REPOSITORY_CONFLICT')
    expect(
      log()
        .slice(before)
        .every(line => line.startsWith('GET')),
    ).toBe(true)
  })

  it('has files under the names that GitHub takes, and shows their own', async () => {
    release = make('1.0.0-rc.1', { ...newest, isStable: false, isLatest: false })
    await outlet.publish(release, tools)
    const deb = github.releases[0]?.assets.find(({ label }) => label.endsWith('.deb'))
    expect(deb).toMatchObject({ label: 'notes_1.0.0~rc.1-1_all.deb', name: 'notes_1.0.0.rc.1-1_all.deb' })
    expect(github.releases[0]).toMatchObject({ prerelease: true })
    expect(github.latestId).toBeUndefined()
    expect(await again()).toMatchObject({ kind: 'unchanged' })
  })

  it('is not made of a snapshot', async () => {
    const { tag: _, ...record } = release.record
    expect(await outlet.publish({ ...release, record }, tools)).toMatchObject({ kind: 'skipped' })
    expect(github.calls).toEqual([])
  })

  it.each([
    ['that is not there', () => github.tags.delete('v1.0.0')],
    ['that marks something else', () => github.tags.set('v1.0.0', 'c'.repeat(40))],
  ])('is not made for a tag %s', async (_, arrange) => {
    arrange()
    expect(await codeOfAsync(outlet.publish(release, tools))).toBe('RELEASE_UNTAGGED')
    expect(github.releases).toEqual([])
  })

  it('does not touch a draft that somebody else made', async () => {
    github.releases.push({
      id: 7,
      tag_name: 'v1.0.0',
      name: 'mine',
      body: 'by hand',
      draft: true,
      prerelease: false,
      immutable: false,
      assets: [],
    })
    expect(await codeOfAsync(outlet.publish(release, tools))).toBe('REPOSITORY_CONFLICT')
    expect(github.releases).toMatchObject([{ id: 7, body: 'by hand', assets: [] }])
  })

  it('is proved by fetching where the server names no digests: once, and without the token', async () => {
    github.settings.digests = false
    await outlet.publish(release, tools)
    expectPublished()
    const count = planAssets(release).length
    expect(github.downloads).toHaveLength(count)
    expect(github.downloads.every(({ authorization }) => authorization === undefined)).toBe(true)
    expect(await again()).toMatchObject({ kind: 'unchanged' })
    expect(github.downloads).toHaveLength(count)
    // Without the receipts, of another machine say, they are fetched again.
    fs.rmSync(path.join(release.folder, 'outlets.ndjson'))
    expect(await again()).toMatchObject({ kind: 'unchanged' })
    expect(github.downloads).toHaveLength(2 * count)
  })

  it('loses what an upload of something never published has left in the draft', async () => {
    github.fail('PATCH', /releases/, answer(422), 1)
    expect(await codeOfAsync(outlet.publish(release, tools))).toBe('GITHUB_REFUSED')
    const [draft] = github.releases
    draft!.assets.push({ id: 9, name: 'stray.txt', label: '', state: 'uploaded', bytes: Buffer.from('x') })
    release = make('1.0.0', newest, 'cut once more')
    expect(await again()).toMatchObject({ kind: 'published' })
    expectPublished()
  })
})

it('a release is sent no faster than it may be, and how far it is is told', async () => {
  const waits: number[] = []
  const wait = async (durationMs: number) => void waits.push(durationMs)
  const bandwidth = new RateLimit(1000, { clock: { elapsedMs: () => 0 }, wait })
  const told: (readonly [number, number])[] = []
  const totalBytes = planAssets(release).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  await outlet.publish(release, { ...tools, bandwidth, onProgress: (...progress) => told.push(progress) })
  expect(Math.max(...waits)).toBeGreaterThan(totalBytes - 1000)
  expect(told.at(-1)).toEqual([totalBytes, totalBytes])
})

describe('faults', () => {
  const limits = { documentation_url: 'https://docs.github.com/rest/overview/rate-limits-for-the-rest-api' }
  const resetAt = String(Math.floor(Date.UTC(2026, 0, 1) / 1000) + 100)

  const passing: readonly [string, string, RegExp, GithubFault, number | undefined][] = [
    ['502 on an upload', 'POST', /assets/, answer(502), 250],
    ['502 on a list', 'GET', /assets/, answer(502), 250],
    ['503 with a time', 'POST', /releases$/, answer(503, { 'retry-after': '7' }), 7000],
    ['429 with a time', 'POST', /assets/, answer(429, { 'retry-after': '30' }), 30_000],
    [
      'a used-up limit',
      'GET',
      /tags/,
      answer(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': resetAt }),
      101_000,
    ],
    ['a secondary limit', 'POST', /assets/, answer(403, {}, limits), 60_000],
    ['a secondary limit with a time', 'PATCH', /releases/, answer(403, { 'retry-after': '5' }), 5000],
    ['a draft that is not known everywhere', 'POST', /assets/, answer(404), 250],
    ['a cut in the middle of an upload', 'POST', /assets/, cutAfter(1), 250],
    ['a lost answer to the draft', 'POST', /releases$/, loseAnswer, 250],
    ['a lost answer to an upload', 'POST', /assets/, loseAnswer, 250],
    ['a lost answer to the publication', 'PATCH', /releases/, loseAnswer, 250],
  ]
  it.each(passing)('%s passes', async (_, method, where, fault, waitMs) => {
    github.settings.immutable = true
    github.fail(method, where, fault)
    expect(await outlet.publish(release, tools)).toMatchObject({ kind: 'published' })
    expect(tools.waits).toEqual([waitMs])
    expectPublished()
  })

  it('an asset that was only begun is removed and sent again', async () => {
    const half: GithubFault = (request, response) => {
      const { name } = Object.fromEntries(new URL(request.url!, 'http://x').searchParams) as { name: string }
      github.releases[0]!.assets.push({ id: 8, name, label: '', state: 'starter', bytes: Buffer.alloc(0) })
      answer(500)(request, response, async () => {})
    }
    github.fail('POST', /assets/, half)
    await outlet.publish(release, tools)
    expect(log()).toContain('DELETE /releases/assets/ID')
    expectPublished()
  })

  it('a name that is taken although it was not listed is listed again', async () => {
    github.fail('POST', /assets/, answer(422, {}, { errors: [{ code: 'already_exists' }] }))
    await outlet.publish(release, tools)
    expectPublished()
  })

  it('of two drafts that a lost answer left the first is used, and the other goes', async () => {
    github.fail('PATCH', /releases/, answer(422))
    expect(await codeOfAsync(outlet.publish(release, tools))).toBe('GITHUB_REFUSED')
    github.releases.push({ ...github.releases[0]!, id: 900, assets: [] })
    await again()
    expectPublished()
    expect(github.releases[0]?.id).not.toBe(900)
  })

  it('other bytes than were sent are noticed before anybody sees them', async () => {
    const spoil: GithubFault = async (_request, response, act) => {
      await act()
      const asset = github.releases[0]!.assets.at(-1)!
      asset.bytes.writeUInt8(asset.bytes.readUInt8(0) ^ 1, 0)
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ id: asset.id }))
    }
    github.fail('POST', /assets/, spoil)
    expect(await codeOfAsync(outlet.publish(release, tools))).toBe('REPOSITORY_DAMAGED')
    expect(github.published()).toEqual([])
    await again()
    expectPublished()
  })

  it.each([
    ['trouble that stays', answer(500), 'GITHUB_UNAVAILABLE', 6],
    ['a wait of hours', answer(429, { 'retry-after': '7200' }), 'GITHUB_UNAVAILABLE', 1],
    ['too few rights', answer(403), 'GITHUB_AUTH', 1],
    ['a wrong token', answer(401), 'GITHUB_AUTH', 1],
    [
      'a repository that was renamed',
      answer(301, { location: 'https://api.github.com/repositories/1' }),
      'GITHUB_REFUSED',
      1,
    ],
  ] as const)('%s is told', async (_, fault, code, calls) => {
    github.fail('GET', /tags/, fault, 99)
    expect(await codeOfAsync(outlet.publish(release, tools))).toBe(code)
    expect(github.calls).toHaveLength(calls)
  })

  it('a file that is not what the record says is not sent in its place', async () => {
    const [tarball] = release.record.components[0]!.artifacts
    fs.appendFileSync(path.join(release.folder, tarball!.name), 'more')
    expect(await codeOfAsync(outlet.publish(release, tools))).toBe('RELEASE_DAMAGED')
    expect(github.published()).toEqual([])
  })
})

describe('two publishers at once', () => {
  it('end in one whole release', async () => {
    github.settings.immutable = true
    const others = Array.from({ length: 3 }, (_, at) => outletTools(path.join(distFolder, `machine-${at}`)))
    const results = await Promise.all(others.map(each => outlet.publish(release, each)))
    for (const { kind } of results) expect(['published', 'unchanged']).toContain(kind)
    expectPublished()
  })

  it('with a draft each: the slower one finds the same release and drops its own', async () => {
    // The draft of the faster one was not listed yet.
    github.fail('GET', /^\/releases\?/, answer(200, {}, []))
    github.settings.immutable = true
    let rival: Promise<unknown> | undefined
    github.onCall = (moment, count) => {
      const isFirstUpload = moment === 'before' && github.calls[count - 1]?.method === 'POST' && rival === undefined
      if (!isFirstUpload || github.releases.length === 0) return
      github.fail('GET', /^\/releases\?/, answer(200, {}, []))
      rival = outlet.publish(release, outletTools(path.join(distFolder, 'rival')))
    }
    const results = [await again(), await rival]
    expect(results.map(result => (result as { kind: string }).kind).toSorted()).toEqual(['published', 'unchanged'])
    expectPublished()
  })
})

it('a draft of ours that another publisher was faster than is dropped by the next run', async () => {
  await outlet.publish(release, tools)
  github.releases.push({ ...github.releases[0]!, id: 900, draft: true, assets: [] })
  const subject = 'v1.0.0'
  tools.receipts.add({ outlet: outlet.name, action: 'draft', subject, remoteId: '900' })
  expect(await again()).toMatchObject({ kind: 'unchanged' })
  expectPublished()
  expect(await again()).toMatchObject({ kind: 'unchanged' })
})

describe('killed at any call', () => {
  it.each(['before', 'after'] as const)('%s it was done, and run again, it ends in one whole release', async moment => {
    await outlet.publish(release, tools)
    const [whole, calls] = [github.published(), github.calls.length]
    expect(calls).toBeGreaterThan(15)
    for (let killAt = 1; killAt <= calls; killAt += 1) {
      github = await new FakeGithub().start()
      github.tags.set('v1.0.0', tree)
      github.settings.immutable = true
      fs.rmSync(path.join(release.folder, 'outlets.ndjson'), { force: true })
      outlet = await open()
      const killed = new AbortController()
      github.onCall = (when, count) => {
        if (when === moment && count === killAt) killed.abort(new Error('killed'))
      }
      await expect(again({ signal: killed.signal })).rejects.toThrow()
      // A reader saw nothing, or all of it.
      expect([[], whole]).toContainEqual(github.published())
      github.onCall = () => {}
      await again()
      expect(github.published(), `killed ${moment} call ${killAt}`).toEqual(whole)
      expect(github.releases).toHaveLength(1)
    }
  })
})

describe('a process that is killed', () => {
  it('leaves a draft that the next one goes on with', async () => {
    const { envelope: _, ...unsigned } = release
    for (const killAt of [4, 6, 9, 14]) {
      github = await new FakeGithub().start()
      github.tags.set('v1.0.0', tree)
      outlet = await open()
      fs.rmSync(path.join(release.folder, 'outlets.ndjson'), { force: true })
      const order = { place: 'github:ada/notes', folder: release.folder }
      const child = spawn(process.execPath, [victim, JSON.stringify(order)], {
        stdio: 'inherit',
        env: { ...process.env, GITHUB_API_URL: github.url, GITHUB_TOKEN: token },
      })
      github.onCall = (moment, count) => {
        if (moment === 'after' && count === killAt) child.kill('SIGKILL')
      }
      expect(await new Promise(resolve => child.once('exit', (_code, signal) => resolve(signal)))).toBe('SIGKILL')
      expect(github.published()).toEqual([])
      await outlet.publish(unsigned, outletTools(release.folder))
      expect(github.published()).toHaveLength(1)
      expect(github.releases).toHaveLength(1)
    }
  })
})

describe('many', () => {
  it('releases and assets are found on all pages', async () => {
    for (let id = 1000; id < 1250; id += 1) {
      const told = {
        tag_name: `v0.${id}`,
        name: '',
        body: '',
        draft: id % 2 === 0,
        prerelease: false,
        immutable: false,
      }
      github.releases.push({ id, ...told, assets: [] })
    }
    const [component] = release.record.components
    const more = Array.from({ length: 130 }, (_, at) => {
      const name = `part-${at}.txt`
      fs.writeFileSync(path.join(release.folder, name), name)
      const kind = 'source' as const
      return { kind, name, sizeBytes: name.length, digest: digestOf(name), mediaType: 'text/plain' }
    })
    const components = [{ ...component!, artifacts: [...component!.artifacts, ...more] }]
    release = { ...release, record: { ...release.record, components } }
    github.fail('PATCH', /releases/, answer(422))
    expect(await codeOfAsync(outlet.publish(release, tools))).toBe('GITHUB_REFUSED')
    const uploads = log().filter(line => line.startsWith('POST')).length
    await again()
    expect(log().filter(line => line.startsWith('POST'))).toHaveLength(uploads)
    expect(github.published().length).toBe(126)
    expect(github.releases).toHaveLength(251)
  })
})

describe('the token', () => {
  it('goes to the API alone, and into no error', async () => {
    await outlet.publish(release, tools)
    expect(github.calls.every(({ authorization }) => authorization === `token ${token}`)).toBe(true)
    github.fail('GET', /tags/, answer(401), 1)
    const caught = await again().catch((error: unknown) => error)
    expect(caught).toBeInstanceOf(ReleaseError)
    const { stack, cause } = caught as ReleaseError
    expect(JSON.stringify(caught) + stack + JSON.stringify(cause)).not.toContain(token)
    expect(fs.readFileSync(path.join(release.folder, 'outlets.ndjson'), 'utf8')).not.toContain(token)
  })

  it('does not go to where an upload is led to', async () => {
    const elsewhere = await new FakeGithub().start()
    const lead: GithubFault = (_request, response) => {
      const body = {
        id: 5,
        tag_name: 'v1.0.0',
        draft: true,
        upload_url: `${elsewhere.url}/x{?name,label}`,
        html_url: '',
      }
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    github.fail('POST', /releases$/, lead)
    github.fail('GET', /releases\/5\/assets/, answer(200, {}, []))
    expect(await codeOfAsync(outlet.publish(release, tools))).toBe('GITHUB_REFUSED')
    expect(elsewhere.calls).toEqual([])
  })

  it('comes from the environment or a file', async () => {
    const file = path.join(base, 'token')
    fs.writeFileSync(file, `${token}\n`)
    for (const environment of [{ GH_TOKEN: token }, { GITHUB_TOKEN_FILE: 'token' }, { GH_TOKEN_FILE: file }]) {
      outlet = await open(environment as Record<string, string>)
      await again()
      expect(github.calls.at(-1)?.authorization).toBe(`token ${token}`)
    }
    for (const environment of [{}, { GITHUB_TOKEN: 'a\r\nb' }, { GITHUB_TOKEN_FILE: 'none' }]) {
      expect(await codeOfAsync(open(environment as Record<string, string>))).toBe('GITHUB_AUTH')
    }
  })
})

describe('channels', () => {
  it('that change make another release the latest, or final', async () => {
    const beta: Standing = { heads: ['edge', 'beta'], vacated: [], isStable: false, isLatest: false }
    const second = make('1.1.0', beta)
    await outlet.publish(release, tools)
    await outlet.publish(second, outletTools(second.folder))
    expect(github.releases).toMatchObject([{ prerelease: false }, { prerelease: true }])
    const old = { ...release, standing: { ...newest, heads: [], isLatest: false } }
    const moved = [{ ...second, standing: newest }, old]
    expect(await outlet.moveChannels(moved, tools)).toMatchObject({ kind: 'published' })
    expect(github.releases).toMatchObject([{ prerelease: false }, { prerelease: false }])
    expect(github.latestId).toBe(github.releases[1]?.id)
    const before = github.calls.length
    expect(await outlet.moveChannels(moved, tools)).toMatchObject({ kind: 'unchanged' })
    expect(
      log()
        .slice(before)
        .every(line => line.startsWith('GET')),
    ).toBe(true)
  })

  it('that lose a withdrawn release say so on top of its notes, and take it back', async () => {
    await outlet.publish(release, tools)
    const notes = github.releases[0]!.body
    const yanked = {
      ...release,
      standing: { heads: [], vacated: [], isStable: false, isLatest: false, yanked: { reason: 'it\nloses --> notes' } },
    }
    await outlet.moveChannels([yanked], tools)
    expect(github.releases).toMatchObject([{ prerelease: true }])
    expect(github.releases[0]?.body).toContain('**This release was withdrawn.** it loses —> notes')
    expect(github.releases[0]?.body).toContain(notes)
    expect(await outlet.moveChannels([yanked], tools)).toMatchObject({ kind: 'unchanged' })
    await outlet.moveChannels([release], tools)
    expect(github.releases).toMatchObject([{ prerelease: false, body: notes }])
  })

  it('change of an immutable release only what can be', async () => {
    github.settings.immutable = true
    await outlet.publish(release, tools)
    const yanked = {
      ...release,
      standing: { ...newest, heads: [], isStable: false, isLatest: false, yanked: { reason: 'bad' } },
    }
    await outlet.moveChannels([yanked], tools)
    expect(github.releases).toMatchObject([{ prerelease: false, body: expect.stringContaining('withdrawn') }])
    expect(tools.warnings).toHaveLength(1)
  })

  it('of a release that is not there change nothing', async () => {
    expect(await outlet.moveChannels([release], tools)).toMatchObject({ kind: 'unchanged' })
    expect(github.releases).toEqual([])
  })
})
