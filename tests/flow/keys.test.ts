import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { exportPayload, signPayloadFile } from '../../src/flow/keys-ceremony.ts'
import { importSignatures, type KeysImportOptions } from '../../src/flow/keys-import.ts'
import { initKeys, type KeysInitOptions, type KeysInitResult } from '../../src/flow/keys-init.ts'
import { type ListedRole, listKeys } from '../../src/flow/keys-list.ts'
import { type KeysRevokeResult, revokeKey } from '../../src/flow/keys-revoke.ts'
import { type KeysRotateResult, rotateKey } from '../../src/flow/keys-rotate.ts'
import { initRepository } from '../../src/flow/repository-init.ts'
import { openKeys } from '../../src/repository/keys/folder.ts'
import { openRepository, pinRoot } from '../../src/trust/client.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

/** Keys of a vendor repository, by the real flows; a client that pinned the first root looks on. */

let base: string
const environment = { PATH: process.env['PATH'] }
const at = (...names: readonly string[]) => path.join(base, ...names)
const places = () => ({ cwd: base, environment, repository: at('repository'), keys: at('keys') })

beforeEach(() => {
  base = tempFolder()
})

async function madeRepository(): Promise<void> {
  await initRepository({ ...places(), name: 'vendor', applications: ['notes'] }, recordedTools())
  await pinRoot({ folder: at('trust'), repositoryUrl: `file://${at('repository')}` })
}

/** The client's view, from the first root on. */
async function look(): Promise<Readonly<Record<string, number>>> {
  const repositoryUrl = `file://${at('repository')}`
  await openRepository({ folder: at('trust'), repositoryUrl }).index('notes')
  const version = (role: string) => JSON.parse(fs.readFileSync(at(`trust/${role}.json`), 'utf8')).signed.version
  return { root: version('root'), targets: version('targets'), timestamp: version('timestamp') }
}

async function list(): Promise<ReadonlyMap<string, ListedRole>> {
  const tools = recordedTools()
  await listKeys(places(), tools)
  return new Map(tools.result<{ roles: readonly ListedRole[] }>().roles.map(role => [role.role, role]))
}

const keyIds = async (role: string) => (await list()).get(role)!.keys.map(({ id }) => id)

async function rotate(role: string, options: { keep?: boolean; payload?: string; publicFile?: string } = {}) {
  const tools = recordedTools()
  await rotateKey({ ...places(), role, keep: false, ...options }, tools)
  return tools.result<KeysRotateResult>()
}

async function revoke(key: string, options: { replace?: boolean; payload?: string } = {}) {
  const tools = recordedTools()
  await revokeKey({ ...places(), key, replace: false, ...options }, tools)
  return tools.result<KeysRevokeResult>()
}

async function init(options: Partial<KeysInitOptions> & Pick<KeysInitOptions, 'keys'>) {
  const tools = recordedTools()
  const roles = ['root', 'targets', 'snapshot', 'timestamp', 'apt']
  const none = { roles, counts: new Map(), thresholds: new Map(), encrypt: false, publicFiles: [] }
  await initKeys({ cwd: base, environment, ...none, ...options }, tools)
  return tools.result<KeysInitResult>()
}

async function sign(payload: string, keys: string, output: string) {
  const tools = recordedTools()
  await signPayloadFile({ cwd: base, environment, payload, keys, output }, tools)
  return tools.events.flatMap(event => (event.kind === 'table' ? event.rows.flat() : []))
}

const importAll = (payload: string, signatures: readonly string[], options: Partial<KeysImportOptions> = {}) =>
  importSignatures({ ...places(), payload, signatures, ...options }, recordedTools())

describe('release keys list', () => {
  it('tells who signs for what, which keys are at hand, and when it ends', async () => {
    await madeRepository()
    fs.renameSync(at('keys/root.json'), at('root.json'))
    const roles = await list()
    expect([...roles.keys()]).toEqual(['root', 'targets', 'snapshot', 'timestamp', 'notes', 'apt'])
    expect(roles.get('root')!.keys).toEqual([{ id: expect.stringMatching(/^[0-9a-f]{64}$/), encrypted: false }])
    expect(roles.get('notes')).toMatchObject({
      threshold: 1,
      level: 'ok',
      keys: [{ place: at('keys/application-notes.json') }],
    })
    expect(roles.get('apt')!.keys).toEqual([{ id: expect.any(String), place: at('keys/apt.json'), encrypted: false }])
  })
})

describe('release keys rotate', () => {
  it.each(['root', 'targets', 'snapshot', 'timestamp', 'notes'])(
    'puts a new key of %s in the place of the old one',
    async role => {
      await madeRepository()
      const [before] = await keyIds(role)
      const { added, removed } = await rotate(role)
      expect(removed).toBe(before)
      expect(await keyIds(role)).toEqual([added])
      expect(fs.readdirSync(at('keys/revoked'))).toHaveLength(1)
      expect((await look())['timestamp']).toBe(3)
    },
  )

  it('lets both sign while the old one is kept', async () => {
    await madeRepository()
    const { added } = await rotate('timestamp', { keep: true })
    expect(await keyIds('timestamp')).toEqual([expect.any(String), added])
    const { signatures } = JSON.parse(fs.readFileSync(at('repository/metadata/timestamp.json'), 'utf8'))
    expect(signatures).toHaveLength(2)
    await expect(rotate('timestamp')).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('takes the key of a rotation that was killed before anything was published', async () => {
    await madeRepository()
    const { keyId } = openKeys(at('keys'), { repository: undefined, create: false }).addTuf('snapshot')
    expect(await rotate('snapshot')).toMatchObject({ added: keyId })
    expect(fs.readdirSync(at('keys')).filter(name => name.startsWith('snapshot'))).toHaveLength(1)
  })

  it.each([
    ['root', 'root'],
    ['snapshot', 'root'],
    ['notes', 'targets'],
    ['apt', 'targets'],
  ])('makes no key of %s that cannot be signed for here', async (role, signer) => {
    await madeRepository()
    const [key] = await keyIds(role)
    fs.renameSync(at(`keys/${signer}.json`), at('kept.json'))
    const before = fs.readdirSync(at('keys'))
    const refused = { code: 'KEY_MISSING', hint: expect.stringContaining('--payload FILE') }
    await expect(rotate(role)).rejects.toMatchObject(refused)
    if (role !== 'apt') await expect(revoke(key!, { replace: true })).rejects.toMatchObject(refused)
    expect(fs.readdirSync(at('keys'))).toEqual(before)
  })

  it('has apt signed with both keys, and named in Signed-By, until the old one is revoked', async () => {
    await madeRepository()
    const [old] = await keyIds('apt')
    const { added } = await rotate('apt')
    expect(await keyIds('apt')).toEqual([old, added])
    await revoke(old!)
    expect(await keyIds('apt')).toEqual([added])
    await expect(revoke(added)).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('does not know a role that there is not', async () => {
    await madeRepository()
    await expect(rotate('other')).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe('release keys revoke', () => {
  it('takes a key away at once, and puts one in its place when it must', async () => {
    await madeRepository()
    const [stolen] = await keyIds('notes')
    await expect(revoke(stolen!)).rejects.toMatchObject({ code: 'USAGE' })
    const result = await revoke(stolen!.slice(0, 12), { replace: true })
    expect(result).toEqual({ revoked: stolen, roles: ['application-notes'] })
    expect(await keyIds('notes')).not.toContain(stolen)
    await look()
  })

  it.each(['timestamp', 'snapshot', 'targets'])(
    'of %s that is killed between the root and what follows it is ended by the next',
    async role => {
      await madeRepository()
      const [stolen] = await keyIds(role)
      for (const folder of ['repository', 'keys']) fs.cpSync(at(folder), at(`${folder}-before`), { recursive: true })
      await revoke(stolen!, { replace: true })
      // The next root is there and nothing else: neither the pointers, nor what these keys remember, nor the key put aside.
      const asBefore = (folder: string, name: string) => {
        fs.rmSync(at(folder, name), { force: true })
        fs.copyFileSync(at(`${folder}-before`, name), at(folder, name))
      }
      for (const name of ['metadata/timestamp.json', 'metadata/root.json']) asBefore('repository', name)
      for (const name of ['trusted-root.json', 'seen.json', `${role}.json`]) asBefore('keys', name)
      fs.rmSync(at('keys/revoked'), { recursive: true })
      expect(fs.existsSync(at('repository/metadata/2.root.json'))).toBe(true)
      await expect(look()).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
      // Who has seen the new root believes nothing that the keys before it signed.
      fs.copyFileSync(at('repository/metadata/2.root.json'), at('keys/trusted-root.json'))
      await expect(list()).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
      asBefore('keys', 'trusted-root.json')
      expect(await keyIds(role)).not.toContain(stolen)

      await revoke(stolen!, { replace: true })
      expect(fs.readdirSync(at('keys/revoked'))).toHaveLength(1)
      expect(await look()).toMatchObject({ root: 2 })
      expect(await keyIds(role)).not.toContain(stolen)
    },
  )

  it('wants enough of the id to be sure', async () => {
    await madeRepository()
    const [key] = await keyIds('snapshot')
    await expect(revoke(key!.slice(0, 4))).rejects.toMatchObject({ code: 'USAGE' })
    await expect(revoke('0'.repeat(64))).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe('a publisher', () => {
  it('does not publish on top of an old copy of its repository', async () => {
    await madeRepository()
    fs.cpSync(at('repository'), at('old'), { recursive: true })
    await rotate('timestamp')
    fs.rmSync(at('repository'), { recursive: true })
    fs.renameSync(at('old'), at('repository'))
    await expect(rotate('snapshot')).rejects.toMatchObject({ code: 'TRUST_ROLLBACK' })
  })
})

describe('a ceremony in files', () => {
  it('signs the first root with two of three keys that never meet, and a repository begins with it', async () => {
    for (const person of ['ada', 'bob', 'cleo']) {
      await init({ keys: person, roles: ['root'], exportFile: `${person}.pub` })
    }
    const others = {
      roles: ['targets', 'snapshot', 'timestamp', 'apt'],
      publicFiles: ['ada.pub', 'bob.pub', 'cleo.pub'],
    }
    const thresholds = new Map([['root', 2]])
    await expect(init({ keys: 'keys', ...others, thresholds })).rejects.toMatchObject({ code: 'KEY_THRESHOLD' })
    await init({ keys: 'keys', ...others, thresholds, payload: 'root.payload' })
    expect(await sign('root.payload', 'ada', 'ada.sig')).toContain('root: 2 of 3 keys must sign')
    await expect(importAll('root.payload', ['ada.sig', 'ada.sig'])).rejects.toMatchObject({ code: 'KEY_THRESHOLD' })
    await sign('root.payload', 'cleo', 'cleo.sig')
    await importAll('root.payload', ['ada.sig', 'cleo.sig'])
    await madeRepository()
    expect((await list()).get('root')).toMatchObject({ threshold: 2, keys: [{}, {}, {}] })

    // Every change of who signs goes the same way.
    await expect(rotate('snapshot')).rejects.toMatchObject({ code: 'KEY_MISSING' })
    const { added } = await rotate('snapshot', { payload: 'add.payload' })
    expect(await sign('add.payload', 'bob', 'bob.sig')).toContain(`snapshot: + key ${added}`)
    await sign('add.payload', 'cleo', 'cleo.sig')
    await importAll('add.payload', ['bob.sig', 'cleo.sig'])
    expect(await keyIds('snapshot')).toContain(added)
    await look()
    await expect(importAll('add.payload', ['bob.sig', 'cleo.sig'])).rejects.toMatchObject({ code: 'CEREMONY_OUTDATED' })
  })

  it('renews root and targets, and delegates an application, with keys that are offline', async () => {
    await madeRepository()
    fs.mkdirSync(at('safe'), { mode: 0o700 })
    for (const role of ['root', 'targets']) fs.renameSync(at(`keys/${role}.json`), at(`safe/${role}.json`))
    for (const role of ['root', 'targets'] as const) {
      const applications = role === 'targets' ? ['ping'] : []
      await exportPayload({ ...places(), role, payload: `${role}.payload`, applications }, recordedTools())
      const shown = await sign(`${role}.payload`, 'safe', `${role}.sig`)
      expect(shown[0]).toMatch(new RegExp(`^${role} 1 → 2, valid until `))
      await importAll(`${role}.payload`, [`${role}.sig`])
    }
    expect(await look()).toMatchObject({ root: 2, targets: 2 })
    expect(await keyIds('ping')).toHaveLength(1)
  })

  it('has no say in what is no name, or once there is a root', async () => {
    await madeRepository()
    const strange = exportPayload(
      { ...places(), role: 'targets', payload: 'x', applications: ['../x'] },
      recordedTools(),
    )
    await expect(strange).rejects.toMatchObject({ code: 'USAGE' })
    await expect(init({ keys: 'more', roles: ['../x'] })).rejects.toMatchObject({ code: 'USAGE' })
    expect(fs.existsSync(at('more'))).toBe(false)
    const late = init({ keys: 'keys', thresholds: new Map([['root', 2]]) })
    await expect(late).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('refuses what is not what it seems', async () => {
    await madeRepository()
    fs.cpSync(at('keys'), at('safe'), { recursive: true })
    await exportPayload({ ...places(), role: 'root', payload: 'a', applications: [] }, recordedTools())
    await sign('a', 'safe', 'a.sig')
    const json = JSON.parse(fs.readFileSync(at('a'), 'utf8'))
    const write = (name: string, change: object) => fs.writeFileSync(at(name), JSON.stringify({ ...json, ...change }))
    // Other bytes under the signatures of these.
    write('b', { signed: json.signed.replace('"version":2', '"version":3') })
    await expect(importAll('b', ['a.sig'])).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
    // The same content in another spelling.
    write('c', { signed: ` ${json.signed}` })
    await expect(sign('c', 'safe', 'c.sig')).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' })
    // A root that the keys' owner has never seen.
    await init({ keys: 'stranger' })
    write('d', { root: fs.readFileSync(at('stranger/trusted-root.json'), 'utf8') })
    await expect(sign('d', 'safe', 'd.sig')).rejects.toMatchObject({ code: 'TRUST_PIN' })
    // Keys that have nothing to do with it.
    fs.rmSync(at('stranger/trusted-root.json'))
    await expect(sign('a', 'stranger', 'e.sig')).rejects.toMatchObject({ code: 'KEY_MISMATCH' })
  })
})
