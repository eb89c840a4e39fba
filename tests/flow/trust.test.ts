import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { startStaticServer } from '../../src/sys/static-server.ts'
import { openRepository, pinRoot } from '../../src/trust/client.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

const first = '1.0.0-dev.1'
const second = '1.0.0-dev.2'
let repository: MadeRepository
/** The repository as it was with only the first release. */
let before: string

beforeAll(async () => {
  const base = tempFolder()
  repository = await makeRepository(base)
  await repository.publish({ version: first })
  before = path.join(base, 'before')
  fs.cpSync(repository.folder, before, { recursive: true })
  await repository.publish({ version: second })
})

let copy: string
let trust: string

beforeEach(async () => {
  const base = tempFolder()
  copy = path.join(base, 'copy')
  trust = path.join(base, 'trust')
  fs.cpSync(repository.folder, copy, { recursive: true })
})

const urlOf = (folder: string) => pathToFileURL(folder).href
const client = (folder = copy) => openRepository({ folder: trust, repositoryUrl: urlOf(folder) })
const pin = (folder = copy) => pinRoot({ folder: trust, repositoryUrl: urlOf(folder) })

/** Change one file of the copy; hard links of the repository are not followed. */
function change(key: string, edit: (text: string) => string): void {
  const file = path.join(copy, key)
  const text = fs.readFileSync(file, 'utf8')
  fs.rmSync(file)
  fs.writeFileSync(file, edit(text))
  expect(fs.readFileSync(file, 'utf8')).not.toBe(text)
}

function newest(pattern: RegExp): string {
  const names = fs.readdirSync(path.join(copy, 'metadata')).filter(name => pattern.test(name))
  return `metadata/${names.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).at(-1)}`
}

describe('pinRoot', () => {
  it('hands back the fingerprint of the newest root and keeps it', async () => {
    expect(await pin()).toEqual({ fingerprint: repository.fingerprint })
    fs.rmSync(path.join(copy, 'metadata/root.json'))
    expect(await pin()).toEqual({ fingerprint: repository.fingerprint })
  })

  it('accepts the fingerprint of any root that was published', async () => {
    change('metadata/root.json', text => text.replace('"version":1', '"version": 1'))
    await pinRoot({ folder: trust, repositoryUrl: urlOf(copy), fingerprint: repository.fingerprint })
    expect(digestOf(fs.readFileSync(path.join(trust, 'root.json')))).toBe(repository.fingerprint)
  })

  it('refuses another fingerprint, first and later', async () => {
    const fingerprint = digestOf('another root')
    const pinned = pinRoot({ folder: trust, repositoryUrl: urlOf(copy), fingerprint })
    await expect(pinned).rejects.toMatchObject({ code: 'TRUST_PIN' })
    expect(fs.existsSync(path.join(trust, 'root.json'))).toBe(false)
    await pin()
    const again = pinRoot({ folder: trust, repositoryUrl: urlOf(copy), fingerprint })
    await expect(again).rejects.toMatchObject({ code: 'TRUST_PIN' })
  })

  it('refuses a root that does not sign itself', async () => {
    change('metadata/root.json', text => text.replace('"threshold":1', '"threshold":2'))
    await expect(pin()).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
  })

  it('refuses what is not a root', async () => {
    change('metadata/root.json', () => '{"signed":{"_type":"targets"},"signatures":[]}')
    await expect(pin()).rejects.toMatchObject({ code: 'TRUST_METADATA' })
  })

  it('says that there is no repository', async () => {
    await expect(pin(tempFolder())).rejects.toMatchObject({ code: 'REPOSITORY_UNKNOWN' })
  })
})

describe('openRepository', () => {
  beforeEach(() => pin())

  it('reads index and record', async () => {
    const opened = client()
    const index = await opened.index('notes')
    expect(index.releases.map(release => release.version)).toEqual([first, second])
    const { record, bytes, digest } = await opened.record('notes', second)
    expect(record).toMatchObject({ name: 'notes', version: second })
    expect(digest).toBe(digestOf(bytes))
  })

  it('reads the same over http', async () => {
    const server = await startStaticServer({ root: copy, host: '127.0.0.1', port: 0 })
    try {
      const opened = openRepository({ folder: trust, repositoryUrl: server.url })
      expect((await opened.record('notes', first)).record.version).toBe(first)
    } finally {
      await server.close()
    }
  })

  it('sees a release that comes after it was opened when it is refreshed', async () => {
    const opened = client()
    fs.cpSync(before, copy, { recursive: true })
    await opened.refresh()
    expect((await opened.index('notes')).releases).toHaveLength(1)
    fs.cpSync(repository.folder, copy, { recursive: true })
    expect((await opened.index('notes')).releases).toHaveLength(1)
    await opened.refresh()
    expect((await opened.index('notes')).releases).toHaveLength(2)
  })

  it('names the nearest versions of one that does not exist', async () => {
    const missing = client().record('notes', '9.9.9')
    await expect(missing).rejects.toMatchObject({
      code: 'RELEASE_UNKNOWN',
      exitCode: 1,
      details: { near: [first, second] },
    })
  })

  it('says that an application is unknown', async () => {
    await expect(client().record('votes', first)).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' })
  })

  it('needs a pinned root', async () => {
    fs.rmSync(trust, { recursive: true })
    await expect(client().refresh()).rejects.toMatchObject({ code: 'TRUST_ROOT', exitCode: 3 })
  })
})

describe('an attacker', () => {
  beforeEach(() => pin())

  it.each([
    ['timestamp', () => 'metadata/timestamp.json'],
    ['snapshot', () => newest(/snapshot/)],
    ['targets', () => newest(/targets/)],
    ['an application’s role', () => newest(/application-notes/)],
  ])('cannot change %s', async (_, key) => {
    change(key(), text => text.replace(/"expires":"20/, '"expires":"21'))
    await expect(client().index('notes')).rejects.toMatchObject({
      code: expect.stringMatching(/^TRUST_(SIGNATURE|MISMATCH)$/),
      exitCode: 3,
    })
  })

  it.each([
    ['timestamp', () => 'metadata/timestamp.json'],
    ['snapshot', () => newest(/snapshot/)],
    ['an application’s role', () => newest(/application-notes/)],
  ])('cannot cut %s short', async (_, key) => {
    change(key(), text => text.slice(0, -40))
    await expect(client().index('notes')).rejects.toMatchObject({ exitCode: 3 })
  })

  it('cannot change a record', async () => {
    const folder = path.join(copy, 'targets/notes', second)
    change(`targets/notes/${second}/${fs.readdirSync(folder)[0]}`, text => text.replace('notes', 'votes'))
    await expect(client().record('notes', second)).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('cannot make a record longer', async () => {
    const folder = path.join(copy, 'targets/notes', second)
    change(`targets/notes/${second}/${fs.readdirSync(folder)[0]}`, text => `${text} `)
    await expect(client().record('notes', second)).rejects.toMatchObject({ code: 'HTTP_TOO_LARGE', exitCode: 3 })
  })

  it('cannot go back to an older repository once a newer one was seen', async () => {
    await client().refresh()
    await expect(client(before).refresh()).rejects.toMatchObject({ code: 'TRUST_ROLLBACK' })
  })

  it('cannot mix metadata of two states', async () => {
    fs.copyFileSync(path.join(before, newestIn(before, /snapshot/)), path.join(copy, newest(/snapshot/)))
    await expect(client().refresh()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('cannot sign with a key of its own', async () => {
    const other = await makeRepository(path.join(tempFolder(), 'other'))
    await other.publish({ version: second })
    await expect(client(other.folder).refresh()).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
  })

  it('cannot freeze a repository beyond its date', async () => {
    const tools = recordedTools({ nowMs: Date.parse('2020-01-01') })
    const old = await makeRepository(path.join(tempFolder(), 'old'), { tools })
    trust = path.join(tempFolder(), 'trust')
    await pin(old.folder)
    await expect(client(old.folder).refresh()).rejects.toMatchObject({ code: 'TRUST_EXPIRED' })
  })

  function* endless() {
    for (;;) yield Buffer.alloc(64 * 1024)
  }

  it('cannot send without end', async () => {
    const server = http.createServer((request, response) => {
      if (request.url?.includes('root')) return void response.writeHead(404).end()
      pipeline(Readable.from(endless()), response, () => {})
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const repositoryUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    try {
      await expect(openRepository({ folder: trust, repositoryUrl }).refresh()).rejects.toMatchObject({
        code: 'HTTP_TOO_LARGE',
      })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  function newestIn(folder: string, pattern: RegExp): string {
    const names = fs.readdirSync(path.join(folder, 'metadata')).filter(name => pattern.test(name))
    return `metadata/${names.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).at(-1)}`
  }
})

describe('a trust folder that lost power', () => {
  beforeEach(() => pin())

  it.each(['timestamp.json', 'snapshot.json', 'targets.json', 'application-notes.json'])(
    'is mended from the repository when %s is torn at any byte',
    async name => {
      await client().index('notes')
      const file = path.join(trust, name)
      const whole = fs.readFileSync(file)
      for (let sizeBytes = 0; sizeBytes < whole.byteLength; sizeBytes += 97) {
        fs.writeFileSync(file, whole.subarray(0, sizeBytes))
        expect((await client().index('notes')).releases).toHaveLength(2)
        expect(fs.readFileSync(file)).toEqual(whole)
      }
    },
  )

  it('says so when the pinned root is torn', async () => {
    const file = path.join(trust, 'root.json')
    const whole = fs.readFileSync(file)
    for (let sizeBytes = 0; sizeBytes < whole.byteLength; sizeBytes += 97) {
      fs.writeFileSync(file, whole.subarray(0, sizeBytes))
      await expect(client().refresh()).rejects.toMatchObject({ code: 'TRUST_ROOT' })
    }
  })
})
