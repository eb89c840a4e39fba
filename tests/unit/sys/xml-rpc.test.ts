import http from 'node:http'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { callRpc } from '../../../src/sys/xml-rpc.ts'
import { tempFolder } from '../../support/temp.ts'

/** A server that answers everything with one text. */
async function answering(answer: string, status = 200) {
  const socket = path.join(tempFolder(), 'rpc.sock')
  const asked: string[] = []
  const server = http.createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url} ${await text(request)}`)
    response.writeHead(status).end(answer)
  })
  await new Promise<void>(resolve => server.listen(socket, resolve))
  onTestFinished(() => void server.close())
  return { asked, call: (...parameters: (string | boolean)[]) => callRpc(socket, 'a.b', parameters, 5000) }
}

const struct = (...members: [string, string][]) =>
  `<methodResponse><params><param><value><struct>${members
    .map(([name, value]) => `<member>\n<name>${name}</name>\n<value>${value}</value>\n</member>`)
    .join('')}</struct></value></param></params></methodResponse>`

describe('callRpc', () => {
  it('writes texts and truth values', async () => {
    const { asked, call } = await answering('<methodResponse><params/></methodResponse>')
    expect(await call('a<b>&c', true, false)).toEqual({ kind: 'done', members: {} })
    expect(asked[0]).toContain('<string>a&lt;b>&amp;c</string>')
    expect(asked[0]).toContain('<boolean>1</boolean></value></param><param><value><boolean>0</boolean>')
  })

  it('reads the members of a structure', async () => {
    const answer = struct(
      ['statename', '<string>RUNNING</string>'],
      ['pid', '<int>12</int>'],
      ['s', 'a &lt;b&gt; &amp;amp;'],
    )
    const { call } = await answering(answer)
    expect(await call()).toEqual({ kind: 'done', members: { statename: 'RUNNING', pid: '12', s: 'a <b> &amp;' } })
  })

  it('tells a fault', async () => {
    const fault = struct(['faultCode', '<int>10</int>'], ['faultString', '<string>BAD_NAME: x</string>'])
    const { call } = await answering(fault.replace('<params>', '<fault>').replace('</params>', '</fault>'))
    expect(await call()).toEqual({ kind: 'fault', code: 10, message: 'BAD_NAME: x' })
  })

  it.each([
    ['no XML-RPC', 'hello', 200],
    ['an error', struct(), 500],
    ['no end', 'x'.repeat(2 * 1024 * 1024), 200],
  ])('fails for %s', async (_what, answer, status) => {
    const { call } = await answering(answer, status)
    await expect(call()).rejects.toMatchObject({ code: 'SERVICE_MANAGER_FAILED' })
  })

  it('fails where nobody answers', async () => {
    const socket = path.join(tempFolder(), 'nobody.sock')
    await expect(callRpc(socket, 'a.b', [], 5000)).rejects.toMatchObject({ code: 'SERVICE_MANAGER_FAILED' })
  })
})
