import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../src/core/digest.ts'
import type { ReleaseRecord } from '../../src/payload/release-record.ts'
import { tryExecute } from '../../src/sys/exec.ts'
import { type StaticServer, startStaticServer } from '../../src/sys/static-server.ts'
import { type AccessibleNode, type Chromium, keepScreenshot, startChromium, type Tab } from '../support/chromium.ts'
import { htmlErrors } from '../support/html-errors.ts'
import { makeRelease } from '../support/made-release.ts'
import { description, indexed, type MadeApplication, writeSite } from '../support/made-site.ts'
import { foreignParts, lowContrast, overflowing, wrappedSizes } from '../support/page-checks.ts'
import { readPicture } from '../support/png.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/** The pages as people meet them: in a real browser, on a phone, in the dark, without scripts, read aloud, and when someone means harm. */

const base = tempFolder()
const screenshots = path.join(base, 'screenshots')
const folder = path.join(base, 'www', 'some', 'where')
let chromium: Chromium
let server: StaticServer
let address: string

const changes = `### Features

- **sync:** keep notes of two devices apart until both were seen (\`merge --three-way\`) (1a2b3c4)
- read notes from standard input, see [the manual](https://docs.example.org/notes/import)
  - nested: *never* waits for more than \`250 ms\`

### Fixes

1. an empty note is no longer lost
2. \`notes export\` says which file it could not write

\`\`\`
notes export --to /srv/backup --format json --an-option-whose-name-goes-on=${'and-on-'.repeat(12)}
\`\`\`
`

function made(version: string, distFolder: string, more: Partial<ReleaseRecord> = {}): ReleaseRecord {
  const python = {
    name: `notes_client-${version}-py3-none-any.whl`,
    project: 'Notes.Client',
    bytes: Buffer.from(version),
  }
  const tag = version.includes('-git') ? {} : { tag: `v${version}` }
  const record = makeRelease({ distFolder, version, python, evidence: true, changes, ...tag })
  return { ...record, homepage: 'https://notes.example.org/', previous: '1.1.3', ...more }
}

const snapshot = '1.2.1-git20261120.abc1234'

function notes(): MadeApplication {
  const distFolder = path.join(base, 'notes')
  const versions = ['1.0.0', '1.1.3', '1.1.4', '1.2.0-rc.1', snapshot]
  const records = versions.map(version => made(version, distFolder))
  const channels = { edge: versions, beta: versions.slice(0, 4), stable: versions.slice(0, 3) }
  const index = indexed(records, channels, {
    '1.0.0': { held: true },
    '1.1.3': { yanked: { reason: 'loses notes that are written while it starts', atMs: Date.UTC(2026, 10, 21) } },
  })
  return { index, records, distFolder, summary: 'Notes that several devices keep in step' }
}

function weave(): MadeApplication {
  const distFolder = path.join(base, 'weave')
  const records = [makeRelease({ distFolder, name: 'weave', version: '0.9.0', tag: 'v0.9.0' })]
  const index = indexed(records, { edge: ['0.9.0'], beta: ['0.9.0'], stable: [] })
  return { index, records, distFolder, summary: 'Weaves threads' }
}

describe.skipIf(!needTool('chromium'))('in Chromium', () => {
  beforeAll(async () => {
    writeSite(folder, description, [notes(), weave()])
    writeSite(path.join(folder, 'empty'), description, [])
    server = await startStaticServer({ root: path.join(base, 'www'), host: '127.0.0.1', port: 0 })
    chromium = await startChromium()
    address = `${server.url}some/where/`
    return () => server.close()
  })

  const pages = {
    front: 'index.html',
    empty: 'empty/index.html',
    application: 'pages/notes/index.html',
    release: 'pages/notes/1.1.4/index.html',
    yanked: 'pages/notes/1.1.3/index.html',
    snapshot: `pages/notes/${snapshot}/index.html`,
  }

  describe.each(Object.entries(pages))('the %s page', (name, page) => {
    let tab: Tab
    beforeAll(async () => {
      tab = await chromium.open(address + page)
      return () => tab.close()
    })

    it('loads without a complaint and asks for nothing but itself', () => {
      expect(tab.problems).toEqual([])
      expect(tab.requests).toEqual([address + page])
      expect(htmlErrors(fs.readFileSync(path.join(folder, page), 'utf8'))).toEqual([])
    })

    it.each([360, 768, 1280])('fits into %i pixels', async width => {
      await tab.resize(width)
      expect(await tab.evaluate(overflowing)).toEqual([])
      expect(await tab.evaluate(wrappedSizes)).toEqual([])
    })

    it.each([
      ['light', 1280, { least: 0.85, most: 1 }],
      ['dark', 1280, { least: 0, most: 0.2 }],
      ['light', 360, { least: 0.8, most: 1 }],
    ] as const)('can be read in %s at %i pixels, and looks like it', async (scheme, width, { least, most }) => {
      await tab.prefer(scheme)
      await tab.resize(width)
      expect(await tab.evaluate(lowContrast)).toEqual([])
      const png = await tab.screenshot()
      keepScreenshot(screenshots, `${name}-${width}-${scheme}`, png)
      const { widthPixels, colors, brightness } = readPicture(png)
      expect({ widthPixels, isBlank: colors < 50 }).toEqual({ widthPixels: width, isBlank: false })
      expect(brightness).toBeGreaterThan(least)
      expect(brightness).toBeLessThan(most)
    })

    it('tells those who do not see it what is where', async () => {
      const nodes = await tab.accessibility()
      expectOutline(nodes)
      const roles = nodes.map(({ role }) => role)
      for (const landmark of ['banner', 'main', 'contentinfo'])
        expect(roles.filter(role => role === landmark)).toHaveLength(1)
      for (const { role, name } of nodes) {
        if (['link', 'button', 'group', 'table', 'navigation', 'heading', 'columnheader', 'rowheader'].includes(role))
          expect({ role, name }).toEqual({ role, name: expect.stringMatching(/\S/) })
      }
      expect(nodes[0]).toMatchObject({ role: 'RootWebArea', name: await tab.evaluate('document.title') })
    })

    it('says the same without scripts', async () => {
      const bare = await chromium.open(address + page, { javascript: false })
      const visible =
        '[...document.querySelectorAll("main button")].forEach(each => each.remove()), document.body.innerText'
      const text = await bare.evaluate<string>('document.body.innerText')
      expect(await bare.evaluate('document.querySelectorAll("button").length')).toBe(0)
      const copy = await chromium.open(address + page)
      expect(text).toBe(await copy.evaluate(visible))
      expect(bare.problems).toEqual([])
      await Promise.all([bare.close(), copy.close()])
    })
  })

  it('says what a table is about, by caption, column and row', async () => {
    const nodes = await (await chromium.open(`${address}${pages.release}`)).accessibility()
    const named = (role: string) => nodes.filter(node => node.role === role).map(({ name }) => name)
    expect(named('table')).toEqual(['Files of notes 1.1.4'])
    expect(named('columnheader')).toEqual(['File and digest', 'Kind', 'Size'])
    expect(named('navigation')).toEqual(['Breadcrumb', 'On this page'])
    expect(named('rowheader')).toContainEqual(expect.stringMatching(/^notes-1\.1\.4\.tar\.gz/))
  })

  it('says of a yanked release first of all that it is one', async () => {
    const nodes = await (await chromium.open(`${address}${pages.yanked}`)).accessibility()
    const main = nodes.slice(nodes.findIndex(({ role }) => role === 'main'))
    expect(
      main
        .map(({ role }) => role)
        .filter(role => ['heading', 'note', 'navigation'].includes(role))
        .slice(0, 2),
    ).toEqual(['heading', 'note'])
    const list = await chromium.open(`${address}${pages.application}`)
    const row = await list.evaluate<string>(
      'document.querySelector(`a[href="1.1.3/index.html"]`).closest("tr").innerText',
    )
    expect(row).toMatch(/Yanked on 2026-11-21: loses notes that are written while it starts/)
  })

  it('is used with the keyboard alone', async () => {
    const tab = await chromium.open(`${address}${pages.front}`)
    const focused = 'document.activeElement.textContent'
    await tab.press('Tab')
    expect(await tab.evaluate(focused)).toBe('Skip to content')
    expect(await tab.evaluate('document.activeElement.getBoundingClientRect().left >= 0')).toBe(true)
    expect(await tab.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    await tab.press('Enter')
    await tab.press('Tab')
    expect(await tab.evaluate(focused)).toBe('Applications')
    expect(await tab.evaluate('getComputedStyle(document.activeElement).outlineWidth')).toBe('3px')
  })

  it('copies the very command that it shows', async () => {
    const tab = await chromium.open(`${address}${pages.release}`)
    await tab.evaluate('navigator.clipboard.writeText = async text => { globalThis.copied = text }, 0')
    await tab.evaluate('document.querySelector("[aria-label=\'Fetch and unpack the archive\'] button").click()')
    const lines = (await tab.evaluate<string>('copied')).split('\n')
    expect(lines).toEqual([
      'curl -fsSL -o notes-1.1.4.tar.gz https://releases.example.org/pool/notes/1.1.4/notes-1.1.4.tar.gz',
      expect.stringMatching(/^echo '[0-9a-f]{64} {2}notes-1\.1\.4\.tar\.gz' \| sha256sum --check$/),
      'mkdir notes-1.1.4 && tar -xf notes-1.1.4.tar.gz -C notes-1.1.4',
    ])
  })

  it('leads from everywhere to pages and files that are there', async () => {
    const seen = new Set<string>()
    const next = [`${address}index.html`, `${address}simple/`]
    for (let page = next.pop(); page !== undefined; page = next.pop()) {
      if (seen.has(page)) continue
      seen.add(page)
      const response = await fetch(page)
      expect(response.status, page).toBe(200)
      const text = await response.text()
      if (!page.endsWith('.html') && !page.endsWith('/')) continue
      for (const [, href] of text.matchAll(/<a href="([^"]+)"/g)) {
        const target = new URL(href!, page)
        const fragment = target.hash.slice(1)
        target.hash = ''
        if (target.origin !== new URL(address).origin) continue
        if (target.href === page && fragment !== '') expect(text).toContain(`id="${fragment}"`)
        next.push(target.href)
      }
    }
    expect(seen.size).toBeGreaterThan(50)
  })

  it('is read from a folder without a server, too', async () => {
    const tab = await chromium.open(pathToFileURL(path.join(folder, 'index.html')).href)
    await tab.evaluate('document.querySelector(".cards a").click()')
    await expect.poll(() => tab.evaluate('document.title')).toBe('notes')
    expect(tab.problems).toEqual([])
  })

  it('lets nothing run that a release says of itself', async () => {
    writeSite(path.join(folder, 'hostile'), { ...description, name: attack('repository') }, [hostile()])
    for (const page of ['index.html', 'pages/notes/index.html', 'pages/notes/1.1.4/index.html']) {
      const tab = await chromium.open(`${address}hostile/${page}`)
      const source = fs.readFileSync(path.join(folder, 'hostile', page), 'utf8')
      expect(htmlErrors(source), page).toEqual([])
      expect(await tab.evaluate('globalThis.ran ?? []'), page).toEqual([])
      expect(await tab.evaluate(foreignParts), page).toEqual([])
      for (const width of [360, 1280]) {
        await tab.resize(width)
        expect(await tab.evaluate(overflowing), page).toEqual([])
      }
      expect(tab.problems, page).toEqual([])
      expect(tab.requests, page).toHaveLength(1)
    }
  })

  it('would not even run a script that got in', async () => {
    const tab = await chromium.open(`${address}${pages.front}`)
    await tab.evaluate(`(() => {
      const script = document.createElement('script')
      script.textContent = 'globalThis.ran = true'
      document.body.append(script)
      document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="globalThis.ran = true"><p style="color:red" id=late>')
    })()`)
    expect(await tab.evaluate('globalThis.ran ?? false')).toBe(false)
    expect(await tab.evaluate('document.getElementById("late").style.color')).toBe('')
    expect(tab.problems.join('\n')).toContain('Content Security Policy')
  })
})

describe.skipIf(!needTool('curl', 'sha256sum', 'tar'))('the commands of a page', () => {
  let site: StaticServer
  const place = path.join(base, 'commands')
  beforeAll(async () => {
    fs.mkdirSync(place)
    site = await startStaticServer({ root: place, host: '127.0.0.1', port: 0 })
    return () => site.close()
  })

  /** The lines of a block, as whoever copies them has them. */
  const linesOf = (page: string, label: string) => {
    const text = fs.readFileSync(path.join(place, page), 'utf8').replace(/<\/?span>/g, '')
    const block = new RegExp(`aria-label="${label}">(.*?)</div>`, 's').exec(text)![1]!
    return [...block.matchAll(/<code>(.*?)<\/code>/gs)].map(([, line]) => unescaped(line!)).join('\n')
  }
  const unescaped = (text: string) => text.replaceAll('&#39;', "'").replaceAll('&amp;', '&')
  const run = (lines: string, cwd: string) => tryExecute(['sh', '-ec', lines], { cwd })

  it.each(['http', 'file'])('bring a checked archive where the repository is at a %s address', async scheme => {
    writeSite(place, { ...description, url: scheme === 'http' ? site.url : pathToFileURL(place).href }, [notes()])
    const cwd = tempFolder()
    const ran = await run(linesOf('pages/notes/1.1.4/index.html', 'Fetch and unpack the archive'), cwd)
    expect(ran.exitCode, ran.stderr).toBe(0)
    expect(fs.readFileSync(path.join(cwd, 'notes-1.1.4/opt/content'), 'utf8')).toBe('notes 1.1.4')
    const printed = await run(linesOf('index.html', 'Compute the fingerprint'), cwd)
    expect(printed.stdout).toContain(hexOf(digestOf(fs.readFileSync(path.join(place, 'metadata/root.json')))))
  })

  it('stop where a file is not the one that the page names', async () => {
    writeSite(place, { ...description, url: site.url }, [notes()])
    fs.appendFileSync(path.join(place, 'pool/notes/1.1.4/notes-1.1.4.tar.gz'), 'x')
    const cwd = tempFolder()
    const ran = await run(linesOf('pages/notes/1.1.4/index.html', 'Fetch and unpack the archive'), cwd)
    expect(ran.exitCode).not.toBe(0)
    expect(fs.readdirSync(cwd)).toEqual(['notes-1.1.4.tar.gz'])
  })
})

/** One first heading, and none that skips a level. */
function expectOutline(nodes: readonly AccessibleNode[]): void {
  const levels = nodes.filter(({ role }) => role === 'heading').map(({ level }) => level!)
  expect(levels.filter(level => level === 1)).toHaveLength(1)
  expect(levels[0]).toBe(1)
  const skipping = levels.filter((level, at) => at > 0 && level > levels[at - 1]! + 1)
  expect(skipping).toEqual([])
}

/** Everything that has ever got out of a text into a page, in one. */
function attack(where: string): string {
  const run = `(globalThis.ran??=[]).push('${where}')`
  return [
    `</title></style></script></textarea>--><script>${run}</script>`,
    `"><img src=x onerror="${run}">'><svg onload="${run}">`,
    `javascript:${run}`,
    `[link](javascript:${run}) <a href="javascript:${run}">x</a> ![x](x "onerror=${run}")`,
    `\u202etxt.exe\u2066 \u0000\u001b[31m \u007f{{7*7}} \${${run}} &lt;script&gt;${run}&lt;/script&gt;`,
    'x'.repeat(300),
  ].join(' ')
}

function hostile(): MadeApplication {
  const distFolder = path.join(base, 'hostile')
  const record = made('1.1.4', distFolder)
  const says = {
    ...record,
    summary: attack('summary'),
    licence: attack('licence'),
    homepage: `javascript:${attack('homepage')}`,
    previous: attack('previous'),
    changes: `# ${attack('heading')}\n\n- ${attack('item')}\n\n\`\`\`${attack('fence')}\n${attack('code')}\n`,
  }
  const reason = attack('reason')
  const index = indexed([says], { edge: ['1.1.4'], beta: [], stable: [] }, { '1.1.4': { yanked: { reason, atMs: 1 } } })
  const [release] = index.releases
  const debs = [{ package: attack('package'), version: attack('version'), architecture: attack('architecture') }]
  const releases = [
    { ...release!, debs, python: release!.python.map(file => ({ ...file, requiresPython: attack('python') })) },
  ]
  return { index: { ...index, releases }, records: [says], distFolder, summary: attack('application') }
}
