import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import type { ReleaseError } from '../../src/core/error.ts'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { rollback } from '../../src/flow/rollback.ts'
import { verify } from '../../src/flow/verify.ts'
import { readIdentity, writeIdentity } from '../../src/prefix/identity.ts'
import { releasePaths } from '../../src/prefix/layout.ts'
import { readStored } from '../../src/prefix/secrets.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { needTool } from '../support/tools.ts'
import { type ToyInstallation, type ToyRelease, toyInstallation } from '../support/toy-release.ts'

/** A secret that no other test and no tool has. */
const external = 'correct-horse-battery-staple'

it('refuses what a prefix does not say, all of it at once and before anything happens', async () => {
  const toy = toyInstallation()
  const variables = {
    PUBLIC_HOST: { type: 'host', description: 'where clients find it' },
    PORT: { type: 'port', default: '8080' },
    UPSTREAM: { type: 'url' },
  }
  writeIdentity(toy.paths, { ...readIdentity(toy.paths), variables: { PORT: '80800' } })
  const before = fs.readFileSync(toy.paths.journal)
  const error = await failure(toy, { version: '1.0.0', node: { variables } })
  expect(error).toMatchObject({ code: 'VARIABLE_INVALID', details: { variables: ['PORT', 'PUBLIC_HOST', 'UPSTREAM'] } })
  expect(error.message).toContain('where clients find it')
  expect(error.hint).toContain('cutover settings PORT=VALUE PUBLIC_HOST=VALUE UPSTREAM=VALUE')
  expect(fs.readdirSync(toy.paths.releases)).toEqual([])
  expect(fs.readFileSync(toy.paths.journal)).toEqual(before)
})

it('writes configuration into each release, from the template of its environment, and goes back with it', async () => {
  const toy = toyInstallation()
  const node = {
    variables: { PORT: { type: 'port', default: '8080' } },
    secrets: [{ name: 'KEY' }],
    config: [
      { path: 'etc/toy.ini', template: 'toy.ini.in' },
      { path: 'lib/common.ini', template: 'common.in', mode: '0600' },
    ],
  }
  const files = (line: string) => ({
    'toy.ini.in': 'common\n',
    'environments/production/toy.ini.in': line,
    'environments/staging/toy.ini.in': 'staging\n',
    'common.in': 'key=${KEY}\n',
    'lib/a.txt': 'a',
  })
  await put(toy, { version: '1.0.0', node, files: files('one ${PORT} ${version}\n') })
  await put(toy, { version: '1.1.0', node, files: files('two ${PORT} ${version}\n') })
  const current = (name: string) => fs.readFileSync(path.join(toy.paths.current, name), 'utf8')
  expect(current('etc/toy.ini')).toBe('two 8080 1.1.0\n')
  expect(current('lib/common.ini')).toBe(`key=${readStored(toy.paths.secrets)['KEY']}\n`)
  expect(fs.statSync(path.join(toy.paths.current, 'lib/common.ini')).mode & 0o7777).toBe(0o600)
  writeIdentity(toy.paths, { ...readIdentity(toy.paths), variables: { PORT: '9090' } })
  await rollback({ prefix: toy.paths.root }, recordedTools())
  expect(current('etc/toy.ini')).toBe('one 9090 1.0.0\n')
  await verify({ prefix: toy.paths.root, offline: true }, recordedTools())
})

it('refuses configuration in the place of a file of the payload, and a template that leads out of the release', async () => {
  const toy = toyInstallation()
  const config = (file: string) => ({ config: [{ path: file, template: 'a.in' }] })
  const taken = await failure(toy, { version: '1.0.0', node: config('b.txt'), files: { 'a.in': '', 'b.txt': '' } })
  expect(taken.code).toBe('MANIFEST_INVALID')
  const planted = { run: 'ln -s /etc/hostname a.in' }
  const led = await failure(toy, { version: '1.0.1', node: { ...config('b.txt'), setup: [planted] } })
  expect(led.code).toBe('RELEASE_CHANGED')
  const away = await failure(toy, {
    version: '1.0.2',
    node: { ...config('etc/b.txt'), setup: [{ run: 'ln -s /tmp etc' }] },
    files: { 'a.in': '' },
  })
  expect(away.code).toBe('RELEASE_CHANGED')
  expect(fs.readdirSync(toy.paths.releases)).toEqual([])
})

it('asks commands for secrets before anything is shared, takes up changed ones, and shows none', async () => {
  const toy = toyInstallation()
  const vault = path.join(toy.dist, 'vault')
  fs.mkdirSync(toy.dist, { recursive: true })
  fs.writeFileSync(vault, `${external}\nsecond line of it\n`)
  const node = {
    secrets: [
      { name: 'KEY', bytes: 16 },
      { name: 'DATABASE', command: { run: ['cat', vault] } },
      { name: 'TLS', command: { run: 'cat "$VAULT"', environment: { VAULT: vault } }, as: 'file' },
    ],
    migrations: [
      {
        name: 'look',
        phase: 'expand',
        run: 'env; cat "$TLS_FILE"; echo "$DATABASE" >&2; echo "$DATABASE" > "$shared/seen"; cat /proc/[0-9]*/cmdline > "$shared/argv" 2>/dev/null || true',
      },
    ],
  }
  const events = await put(toy, { version: '1.0.0', node })
  expect(fs.readFileSync(path.join(toy.paths.shared, 'seen'), 'utf8')).toBe(`${external}\nsecond line of it\n`)
  const file = path.join(toy.paths.secretFiles, '1.0.0', 'TLS')
  expect(events).toContain(`TLS_FILE=${file}`)
  expect(fs.readFileSync(file, 'utf8')).toBe(`${external}\nsecond line of it\n`)
  expect(fs.statSync(file).mode & 0o7777).toBe(0o600)

  const next = 'another-horse-entirely'
  fs.writeFileSync(vault, next)
  const later = await put(toy, { version: '1.1.0', node })
  expect(readStored(toy.paths.secrets)['DATABASE']).toBe(next)

  fs.writeFileSync(vault, '')
  const empty = await failure(toy, { version: '1.2.0', node })
  expect(empty).toMatchObject({ code: 'SECRET_UNAVAILABLE', details: { secret: 'DATABASE' } })
  fs.writeFileSync(vault, next)
  const loud = { secrets: [{ name: 'DATABASE', command: { run: `cat ${vault}; cat ${vault} >&2; exit 3` } }] }
  const failed = await failure(toy, { version: '1.2.1', node: loud })
  expect(failed.code).toBe('SECRET_UNAVAILABLE')

  fs.rmSync(vault)
  const tools = recordedTools()
  await rollback({ prefix: toy.paths.root }, tools)
  expect(tools.events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'SECRET_UNAVAILABLE' }))
  expect(readStored(toy.paths.secrets)['DATABASE']).toBe(next)

  const argv = fs.readFileSync(path.join(toy.paths.shared, 'argv'), 'utf8').replaceAll('\0', ' ')
  expect(argv).toContain('cat /proc/')
  const told = `${events}${later}${JSON.stringify(tools.events)}${argv}${fs.readFileSync(toy.paths.journal, 'utf8')}${errorText(empty)}${errorText(failed)}`
  const { KEY: key } = readStored(toy.paths.secrets)
  for (const secret of [external, 'second line of it', next, key]) expect(told).not.toContain(secret)
})

it('decrypts what comes with a release by the key of the server, each release with its own', async () => {
  const toy = toyInstallation()
  const { Encrypter, generateX25519Identity, identityToRecipient, armor } = await import('age-encryption')
  const identity = await generateX25519Identity()
  const encrypt = async (text: string) => {
    const encrypter = new Encrypter()
    encrypter.addRecipient(await identityToRecipient(identity))
    return Buffer.from(armor.encode(await encrypter.encrypt(text)))
  }
  const node = { secrets: [{ name: 'TOKEN', age: 'token.age' }], config: [{ path: 'token', template: 'token.in' }] }
  const release = async (version: string, token: string) => ({
    version,
    node,
    files: {
      'token.age': 'not for us',
      'environments/production/token.age': await encrypt(token),
      'token.in': '${TOKEN}',
    },
  })
  const unset = await failure(toy, await release('1.0.0', 'first'))
  expect(unset).toMatchObject({ code: 'SECRET_KEY' })
  expect(fs.readdirSync(toy.paths.releases)).toEqual([])

  const ageKeyFile = path.join(toy.dist, 'key.txt')
  writeIdentity(toy.paths, { ...readIdentity(toy.paths), settings: { ageKeyFile } })
  fs.writeFileSync(ageKeyFile, `# made for this server\n${identity}\n`, { mode: 0o644 })
  expect(await failure(toy, await release('1.0.1', 'first'))).toMatchObject({ code: 'SECRET_KEY' })
  fs.chmodSync(ageKeyFile, 0o600)
  await put(toy, await release('1.1.0', 'first token\n'))
  await put(toy, await release('1.2.0', 'second token'))
  const token = () => fs.readFileSync(path.join(toy.paths.current, 'token'), 'utf8')
  expect(token()).toBe('second token')
  await rollback({ prefix: toy.paths.root }, recordedTools())
  expect(token()).toBe('first token')
  await verify({ prefix: toy.paths.root, offline: true }, recordedTools())

  fs.writeFileSync(ageKeyFile, `${await generateX25519Identity()}\n`)
  const other = await failure(toy, await release('1.3.0', 'third'))
  expect(other.code).toBe('SECRET_UNAVAILABLE')
  expect(errorText(other)).not.toContain(identity.slice(20))
})

it.skipIf(!needTool('age', 'age-keygen'))(
  'decrypts what age itself has encrypted, for a key that age-keygen made',
  async () => {
    const toy = toyInstallation()
    fs.mkdirSync(toy.dist, { recursive: true })
    const ageKeyFile = path.join(toy.dist, 'key.txt')
    execFileSync('age-keygen', ['-o', ageKeyFile], { stdio: 'pipe' })
    const recipient = execFileSync('age-keygen', ['-y', ageKeyFile], { encoding: 'utf8' }).trim()
    const encrypt = (text: string, ...options: string[]) =>
      execFileSync('age', ['--encrypt', ...options, '--recipient', recipient], { input: text })
    writeIdentity(toy.paths, { ...readIdentity(toy.paths), settings: { ageKeyFile } })
    await put(toy, {
      version: '1.0.0',
      node: {
        secrets: [
          { name: 'BINARY', age: 'binary.age' },
          { name: 'ARMORED', age: 'armored.age', as: 'file' },
        ],
      },
      files: { 'binary.age': encrypt('one\n'), 'armored.age': encrypt('two\n', '--armor') },
    })
    const stored = readStored(releasePaths(toy.paths, '1.0.0').secrets)
    expect(stored).toEqual({ BINARY: 'one', ARMORED: 'two\n' })
  },
)

/** Install a release of `toy`; what it told, as JSON. */
async function put(toy: ToyInstallation, release: ToyRelease): Promise<string> {
  const tools = recordedTools()
  const resolve = resolveFromFolder(await toy.cut(release))
  await install({ prefix: toy.paths.root, version: release.version, resolve }, tools)
  return JSON.stringify(tools.events)
}

async function failure(toy: ToyInstallation, release: ToyRelease): Promise<ReleaseError> {
  return await put(toy, release).then(
    () => {
      throw new Error('expected an error')
    },
    (caught: ReleaseError) => caught,
  )
}

/** Everything that an error can tell, with what it was made of. */
function errorText(error: ReleaseError): string {
  const cause = error.cause instanceof Error ? `${error.cause.message}${error.cause.stack}` : ''
  return `${error.message}${error.stack}${JSON.stringify(error)}${JSON.stringify(error.details)}${cause}`
}
