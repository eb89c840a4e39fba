import { createHmac } from 'node:crypto'
import fs from 'node:fs'
import type http from 'node:http'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { recordBytes } from '../../src/payload/release-record.ts'
import { type AnnounceSettings, announce, assertAnnounceable } from '../../src/repository/announce.ts'
import { type Announcement, renderAnnouncement } from '../../src/repository/render-announcement.ts'
import { codeOf } from '../support/codes.ts'
import { listen } from '../support/fake-registry.ts'
import { makeRelease } from '../support/made-release.ts'
import { registryTools } from '../support/registry-tools.ts'
import { tempFolder } from '../support/temp.ts'

const base = tempFolder()
const record = makeRelease({ distFolder: path.join(base, 'dist'), version: '1.0.0', tag: 'v1.0.0' })
const announcement: Announcement = renderAnnouncement({
  record,
  recordDigest: digestOf(recordBytes(record)),
  channels: ['edge', 'stable'],
  places: [{ place: 'github:ada/notes', url: 'https://example.org/ada/notes' }],
})

interface Call {
  readonly method: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

let calls: Call[]
let answers: ((response: http.ServerResponse) => void)[]
let url: string
let tools: ReturnType<typeof makeTools>

const makeTools = () => ({
  ...registryTools(),
  cwd: base,
  environment: { PATH: process.env['PATH'], SECRET: 's3cret' },
})
const status =
  (code: number, headers: http.OutgoingHttpHeaders = {}) =>
  (response: http.ServerResponse) =>
    void response.writeHead(code, headers).end()

beforeEach(async () => {
  calls = []
  answers = []
  tools = makeTools()
  const host = await listen(async (request, response) => {
    let body = ''
    for await (const piece of request) body += String(piece)
    calls.push({ method: request.method ?? '', headers: request.headers, body })
    const answer = answers.shift() ?? status(204)
    answer(response)
  })
  url = `http://${host}/hook/of-secrets?key=hidden`
})

const tell = (settings: AnnounceSettings) => announce(settings, announcement, tools)

describe('a webhook', () => {
  it('is told in JSON, signed over identifier, time and body', async () => {
    const [outcome] = await tell({ webhook: { url, secretEnvironment: 'SECRET' } })
    expect(outcome).toMatchObject({ kind: 'told', who: new URL(url).origin })
    const [{ method, headers, body } = fail()] = calls
    expect(method).toBe('POST')
    expect(JSON.parse(body)).toEqual(announcement)
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
    const expected = createHmac('sha256', 's3cret').update(signed).digest('base64')
    expect(headers['webhook-signature']).toBe(`v1,${expected}`)
    expect(headers['webhook-timestamp']).toBe(String(Date.UTC(2026, 0, 1) / 1000))
  })

  it('takes a secret from a file, also in the form of Standard Webhooks', async () => {
    const key = Buffer.from('0123456789abcdef0123456789abcdef')
    fs.writeFileSync(path.join(base, 'secret'), `whsec_${key.toString('base64')}\n`)
    await tell({ webhook: { url, secretFile: 'secret' } })
    const { headers, body } = calls[0]!
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`)
  })

  it('is told again, under the same identifier and signed anew, when it was in trouble', async () => {
    answers.push(status(503, { 'retry-after': '60' }), response => void response.destroy(), status(200))
    expect(await tell({ webhook: { url, secretEnvironment: 'SECRET' } })).toMatchObject([{ kind: 'told' }])
    expect(tools.waits).toEqual([60_000, 500])
    expect(new Set(calls.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(new Set(calls.map(({ headers }) => headers['webhook-signature'])).size).toBe(2)
  })

  it.each([
    ['refuses', status(400), 1],
    ['is gone', status(410), 1],
    ['leads elsewhere', status(307, { location: '/other' }), 1],
    ['stays in trouble', status(500), 6],
    ['asks for hours', status(429, { 'retry-after': '7200' }), 1],
  ] as const)('that %s is reported, without its secrets', async (_, answer, count) => {
    answers.push(...Array.from({ length: 9 }, () => answer))
    const [outcome] = await tell({ webhook: { url, secretEnvironment: 'SECRET' } })
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'ANNOUNCE_FAILED' } })
    expect(calls).toHaveLength(count)
    const text = JSON.stringify(outcome)
    for (const hidden of ['s3cret', 'of-secrets', 'hidden']) expect(text).not.toContain(hidden)
  })

  it('is not told without the signature that was asked for', async () => {
    for (const secret of [{ secretEnvironment: 'OTHER' }, { secretFile: 'none' }]) {
      const settings = { webhook: { url, ...secret } }
      expect(codeOf(() => assertAnnounceable(settings, tools))).toBe('ANNOUNCE_SECRET')
      expect(await tell(settings)).toMatchObject([{ kind: 'failed', error: { code: 'ANNOUNCE_SECRET' } }])
    }
    expect(calls).toEqual([])
    assertAnnounceable({ webhook: { url, secretEnvironment: 'SECRET' } }, tools)
  })
})

describe('a command', () => {
  it('gets the announcement on its input, and no secret', async () => {
    const script = 'cat >announced.json; env >environment.txt; echo "$1" >word.txt'
    const [outcome] = await tell({ command: ['sh', '-c', script, 'sh', 'a word'] })
    expect(outcome).toEqual({ kind: 'told', who: 'sh' })
    expect(JSON.parse(fs.readFileSync(path.join(base, 'announced.json'), 'utf8'))).toEqual(announcement)
    expect(fs.readFileSync(path.join(base, 'environment.txt'), 'utf8')).not.toContain('s3cret')
    expect(fs.readFileSync(path.join(base, 'word.txt'), 'utf8')).toBe('a word\n')
  })

  it('that fails is reported, and the others are told all the same', async () => {
    answers.push(status(400))
    const outcomes = await tell({ webhook: { url }, command: ['sh', '-c', 'exit 3'] })
    expect(outcomes).toMatchObject([{ kind: 'failed' }, { kind: 'failed', error: { code: 'ANNOUNCE_FAILED' } }])
    const [missing] = await tell({ command: ['no-such-command-here'] })
    expect(missing).toMatchObject({ kind: 'failed', error: { code: 'ANNOUNCE_FAILED' } })
  })
})

function fail(): never {
  throw new Error('nothing was sent')
}
