import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StaticServer, startServer, startStaticServer } from '../../../src/sys/static-server.ts'
import { tempFolder } from '../../support/temp.ts'

const base = tempFolder()
const root = path.join(base, 'root')
const content = 'abcdefghijklmnopqrstuvwxyz'
let server: StaticServer

beforeAll(async () => {
  fs.mkdirSync(path.join(root, 'dists/stable'), { recursive: true })
  fs.mkdirSync(path.join(root, 'pages'))
  fs.mkdirSync(path.join(root, '.cutover'))
  fs.writeFileSync(path.join(root, 'letters.bin'), content)
  fs.writeFileSync(path.join(root, 'empty'), '')
  fs.writeFileSync(path.join(root, 'a b+c~1.deb'), 'deb')
  fs.writeFileSync(path.join(root, 'index.html'), '<p>entrance</p>')
  fs.writeFileSync(path.join(root, 'pages/index.html'), '<p>pages</p>')
  fs.writeFileSync(path.join(root, 'dists/stable/InRelease'), 'signed')
  fs.writeFileSync(path.join(root, '.cutover/lock'), 'hidden')
  fs.writeFileSync(path.join(base, 'outside'), 'outside')
  fs.symlinkSync('letters.bin', path.join(root, 'inside-link'))
  fs.symlinkSync('../outside', path.join(root, 'outside-link'))
  fs.symlinkSync('..', path.join(root, 'outside-folder'))
  fs.symlinkSync('.cutover/lock', path.join(root, 'hidden-link'))
  server = await startStaticServer({ root, host: '127.0.0.1', port: 0 })
})
afterAll(() => server.close())

const get = (key: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(new URL(key, server.url), { headers, method, redirect: 'manual' })

/** A request as no client library would send it. */
function raw(target: string): Promise<string> {
  const { port } = new URL(server.url)
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = net.connect(Number(port), '127.0.0.1', () => {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    })
    socket.on('data', bytes => {
      text += bytes
    })
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
}

describe('a static server', () => {
  it.each([
    ['letters.bin', 'application/octet-stream'],
    ['a%20b%2Bc~1.deb', 'application/vnd.debian.binary-package'],
    ['dists/stable/InRelease', 'text/plain; charset=utf-8'],
    ['index.html', 'text/html; charset=utf-8'],
  ])('sends %s with its type', async (key, type) => {
    const response = await get(key)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(type)
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('sends the index of a folder, and leads to its slash', async () => {
    expect(await (await get('')).text()).toBe('<p>entrance</p>')
    expect(await (await get('pages/')).text()).toBe('<p>pages</p>')
    const response = await get('pages')
    expect(response.status).toBe(301)
    expect(response.headers.get('location')).toBe('/pages/')
  })

  it('sends one range', async () => {
    const response = await get('letters.bin', { range: 'bytes=2-4' })
    expect(response.status).toBe(206)
    expect(response.headers.get('content-range')).toBe('bytes 2-4/26')
    expect(await response.text()).toBe('cde')
    expect((await get('letters.bin', { range: 'bytes=26-' })).status).toBe(416)
    expect((await get('empty', { range: 'bytes=0-' })).status).toBe(416)
  })

  it('answers HEAD with the headers of GET and no body', async () => {
    const response = await get('letters.bin', {}, 'HEAD')
    expect(response.headers.get('content-length')).toBe('26')
    expect(await response.text()).toBe('')
    expect((await get('nothing', {}, 'HEAD')).status).toBe(404)
  })

  it('knows what a client has already, until the file is replaced', async () => {
    const etag = (await get('letters.bin')).headers.get('etag') ?? ''
    expect((await get('letters.bin', { 'if-none-match': etag })).status).toBe(304)
    fs.writeFileSync(path.join(base, 'new'), content)
    fs.renameSync(path.join(base, 'new'), path.join(root, 'letters.bin'))
    expect((await get('letters.bin', { 'if-none-match': etag })).status).toBe(200)
  })

  it('follows a link that stays inside', async () => {
    expect(await (await get('inside-link')).text()).toBe(content)
  })

  it.each([
    '/../outside',
    '/%2e%2e/outside',
    '/pages/../../outside',
    '/pages%2f..%2f..%2foutside',
    '//etc/passwd',
    '/outside-link',
    '/outside-folder/outside',
    '/.cutover/lock',
    '/hidden-link',
    '/letters.bin/',
    '/letters.bin%00.html',
    '/dists',
    '/nothing',
  ])('finds nothing at %s', async target => {
    const answer = await raw(target)
    expect(answer).toMatch(/^HTTP\/1\.1 404 /)
    expect(answer).not.toContain('outside\n')
  })

  it.each(['/%', '/%ff%fe%', '*'])('refuses the address %s', async target => {
    expect(await raw(target)).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('understands a whole address', async () => {
    expect(await raw(`${server.url}letters.bin`)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('changes nothing', async () => {
    const response = await get('letters.bin', {}, 'PUT')
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('GET, HEAD')
  })

  it('says that its address is taken', async () => {
    const port = Number(new URL(server.url).port)
    await expect(startStaticServer({ root, host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
  })

  it.each([
    ['fails', () => Promise.reject(new Error('/secret/place'))],
    ['breaks', () => JSON.parse('{')],
  ])('says no more than that it failed when what answers %s', async (_, answer) => {
    const failing = await startServer(answer, { host: '127.0.0.1', port: 0 })
    try {
      const response = await fetch(failing.url)
      expect(response.status).toBe(500)
      expect(await response.text()).toBe('500 Internal Server Error\n')
    } finally {
      await failing.close()
    }
  })
})
