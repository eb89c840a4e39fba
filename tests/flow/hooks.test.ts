import { createHmac } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { expect, it } from 'vitest'
import type { Json } from '../../src/core/canonical-json.ts'
import { install } from '../../src/flow/install.ts'
import type { ChangeNotification } from '../../src/flow/notify.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { readIdentity, writeIdentity } from '../../src/prefix/identity.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import type { PrefixSettings } from '../../src/prefix/settings.ts'
import { replay } from '../../src/prefix/state.ts'
import { codeOfAsync } from '../support/codes.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { type ToyInstallation, toyInstallation } from '../support/toy-release.ts'

type Node = { readonly [key: string]: Json }

async function put(toy: ToyInstallation, version: string, node: Node = {}, tools = recordedTools()) {
  const resolve = resolveFromFolder(await toy.cut({ version, node }))
  return await install({ prefix: toy.paths.root, version, resolve }, tools)
}

const telling = 'echo "$CUTOVER_WHEN $CUTOVER_PHASE $CUTOVER_FROM $CUTOVER_VERSION $CUTOVER_OUTCOME" >> ${shared}/told'
const hook = (when: string, phase: string, more: Node = {}) => ({
  when,
  phase,
  run: ['/bin/sh', '-euc', telling],
  ...more,
})
const told = (toy: ToyInstallation) =>
  fs.readFileSync(path.join(toy.paths.shared, 'told'), 'utf8').trimEnd().split('\n')

it('runs hooks around the phases of a change, in the release once it is there', async () => {
  const toy = toyInstallation()
  await put(toy, '1.0.0')
  const here = ['/bin/sh', '-euc', 'pwd >> ${shared}/told']
  const hooks = [
    hook('after', 'commit'),
    hook('before', 'stage', { run: here }),
    hook('before', 'switch'),
    hook('after', 'switch', { run: here }),
    hook('before', 'hold', { run: ['/bin/false'] }),
  ]
  await put(toy, '1.1.0', { hooks })
  expect(told(toy)).toEqual([
    toy.paths.root,
    'before switch 1.0.0 1.1.0 ',
    path.join(toy.paths.releases, '1.1.0'),
    'after commit 1.0.0 1.1.0 done',
  ])
})

it('fails a change by a hook that is required, without blaming the release, and runs those of its rollback', async () => {
  const toy = toyInstallation()
  await put(toy, '1.0.0')
  const hooks = [
    hook('before', 'switch', { run: ['/bin/sh', '-c', 'echo not on a Friday; exit 1'] }),
    hook('before', 'rollback'),
    hook('after', 'rollback', { run: ['/bin/false'] }),
  ]
  const tools = recordedTools()
  expect(await codeOfAsync(put(toy, '1.1.0', { hooks }, tools))).toBe('HOOK_FAILED')
  expect(told(toy)).toEqual(['before rollback 1.0.0 1.1.0 HOOK_FAILED'])
  expect(tools.events.filter(event => event.kind === 'warning').map(event => event.code)).toEqual(['HOOK_FAILED'])
  expect(currentVersion(toy.paths)).toBe('1.0.0')
  expect(replay(readJournal(toy.paths.journal)).avoided).toEqual(new Set())
})

it('only warns of a hook behind a phase, and of one that is not required', async () => {
  const toy = toyInstallation()
  const hooks = [
    hook('after', 'verify', { run: ['/bin/false'] }),
    hook('before', 'share', { run: ['/bin/sleep', '60'], timeout: '50ms', required: false }),
    hook('before', 'commit', { run: ['/bin/false'], required: false }),
  ]
  const tools = recordedTools()
  await put(toy, '1.0.0', { hooks }, tools)
  expect(tools.events.filter(event => event.kind === 'warning').map(event => event.code)).toEqual(
    hooks.map(() => 'HOOK_FAILED'),
  )
})

function notifying(toy: ToyInstallation, notify: PrefixSettings['notify']): void {
  writeIdentity(toy.paths, { ...readIdentity(toy.paths), settings: { notify: notify! } })
}

it('tells a command of the end of each change, and only warns when it fails', async () => {
  const toy = toyInstallation()
  const file = path.join(toy.paths.root, 'notified')
  notifying(toy, { command: ['/bin/sh', '-c', `cat >> ${file}`] })
  await put(toy, '1.0.0')
  expect(await codeOfAsync(put(toy, '1.1.0', { setup: [{ run: 'false' }] }))).toBe('SETUP_FAILED')
  const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n')
  const [first, second] = lines.map(line => JSON.parse(line) as ChangeNotification)
  expect(first).toMatchObject({ event: 'change-ended', outcome: 'done', version: '1.0.0', active: '1.0.0', txn: 1 })
  expect(second).toMatchObject({ outcome: 'rolled-back', version: '1.1.0', active: '1.0.0', code: 'SETUP_FAILED' })
  notifying(toy, { command: ['/bin/false'] })
  const tools = recordedTools()
  await put(toy, '1.2.0', {}, tools)
  expect(tools.events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'NOTIFY_FAILED' }))
})

it('tells a webhook, signed with the secret of the prefix', async () => {
  const toy = toyInstallation()
  const calls: { readonly headers: http.IncomingHttpHeaders; readonly body: string }[] = []
  const server = http.createServer(async (request, response) => {
    const pieces = await Array.fromAsync(request as AsyncIterable<Buffer>)
    calls.push({ headers: request.headers, body: Buffer.concat(pieces).toString() })
    response.end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const webhook = `http://127.0.0.1:${(server.address() as AddressInfo).port}/T0/secret-of-its-own`
  const webhookSecretFile = path.join(toy.paths.root, 'webhook-secret')
  try {
    notifying(toy, { webhook, webhookSecretFile })
    const unsigned = recordedTools()
    await put(toy, '1.0.0', {}, unsigned)
    expect(unsigned.events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'NOTIFY_FAILED' }))
    expect(calls).toEqual([])
    fs.writeFileSync(webhookSecretFile, 's3cret\n')
    await put(toy, '1.1.0')
  } finally {
    server.closeAllConnections()
    server.close()
  }
  const [{ headers, body }] = calls as [(typeof calls)[number]]
  expect(JSON.parse(body)).toMatchObject({ event: 'change-ended', outcome: 'done', from: '1.0.0', version: '1.1.0' })
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  const signature = createHmac('sha256', 's3cret').update(signed).digest('base64')
  expect(headers['webhook-signature']).toBe(`v1,${signature}`)
})
