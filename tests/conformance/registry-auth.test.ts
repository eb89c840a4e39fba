import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { ReleaseError } from '../../src/core/error.ts'
import { type Environment, findCredentials } from '../../src/registry/credentials.ts'
import { pullImage } from '../../src/registry/pull.ts'
import { pushImage } from '../../src/registry/push.ts'
import { parseReference } from '../../src/registry/reference.ts'
import { codeOfAsync } from '../support/codes.ts'
import { type FakeRegistry, type Fault, fakeRegistry, fill, listen } from '../support/fake-registry.ts'
import { makeImage } from '../support/made-image.ts'
import { type RecordedRegistryTools, registryTools } from '../support/registry-tools.ts'
import { tempFolder } from '../support/temp.ts'

const base = tempFolder()
const newFolder = () => fs.mkdtempSync(path.join(base, 'part-'))

const secret = 'correct horse battery'
const basic = `Basic ${Buffer.from(`alice:${secret}`).toString('base64')}`
const image = makeImage({ folder: path.join(newFolder(), 'image'), layerBytes: 5000 })

let fake: FakeRegistry
let tools: RecordedRegistryTools
/** A folder that is home, with a credentials file for the fake. */
let environment: Environment
beforeEach(async () => {
  fake = await fakeRegistry()
  fill(fake, image.folder, '1.0.0', image.digest)
  tools = registryTools()
  const file = writeFile(newFolder(), 'auth.json', { auths: { [fake.host]: entry('alice', secret) } })
  environment = { REGISTRY_AUTH_FILE: file, PATH: process.env['PATH'] }
})

const entry = (user: string, password: string) => ({ auth: Buffer.from(`${user}:${password}`).toString('base64') })

function writeFile(folder: string, name: string, content: unknown, mode = 0o600): string {
  const file = path.join(folder, name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content), { mode })
  return file
}

const pull = () =>
  pullImage(
    {
      reference: parseReference(`${fake.host}/team/app:1.0.0`),
      folder: path.join(newFolder(), 'pulled'),
      plainHttp: false,
      environment,
      onProgress: () => {},
    },
    tools,
  )
const push = () => {
  const name = { registry: fake.host, repository: 'team/app' }
  return pushImage(
    { folder: image.folder, name, tags: ['2'], plainHttp: false, environment, onProgress: () => {} },
    tools,
  )
}

/** Let the fake ask for credentials in every request that has not the right header. */
function ask(challenge: string, right: string, path = /./): void {
  const refuse: Fault = (request, response) => {
    request.resume()
    response.writeHead(401, { 'www-authenticate': challenge, 'content-length': 0 }).end()
  }
  fake.failUnless(path, right, refuse)
}

/** Everything that an error shows, to people and to programs. */
async function shown(running: Promise<unknown>): Promise<string> {
  const caught = await running.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(caught instanceof ReleaseError)) throw caught
  return JSON.stringify(caught) + String(caught.stack) + String(caught.cause)
}

describe('a registry that asks for a password', () => {
  it('gets the one that is stored for it, once it asks', async () => {
    ask('Basic realm="tests"', basic)
    await pull()
    expect(fake.requests[0]?.authorization).toBeUndefined()
    expect(fake.requests.slice(1).map(({ authorization }) => authorization)).toEqual(
      fake.requests.slice(1).map(() => basic),
    )
  })

  it('is not asked again and again with one that is wrong', async () => {
    ask('Basic realm="tests"', 'Basic other')
    expect(await codeOfAsync(pull())).toBe('REGISTRY_AUTH')
    expect(fake.requests).toHaveLength(2)
  })

  it('never finds it in an error', async () => {
    ask('Basic realm="tests"', 'Basic other')
    const text = await shown(push())
    expect(text).not.toContain(secret)
    expect(text).not.toContain(basic.slice('Basic '.length))
  })

  it('gets nothing when it asks in a way that is none', async () => {
    ask('Basic realm="tests", realm="x"', basic)
    expect(await codeOfAsync(pull())).toBe('REGISTRY_PROTOCOL')
    expect(fake.requests.every(({ authorization }) => authorization === undefined)).toBe(true)
  })

  it('gets nothing that is stored for another one', async () => {
    const other = writeFile(newFolder(), 'auth.json', { auths: { '127.0.0.1:1': entry('alice', secret) } })
    environment = { REGISTRY_AUTH_FILE: other }
    ask('Basic realm="tests"', basic)
    expect(await codeOfAsync(pull())).toBe('REGISTRY_AUTH')
    expect(fake.requests.every(({ authorization }) => authorization === undefined)).toBe(true)
  })
})

describe('credentials stay at the registry', () => {
  const elsewhere = async (answer: (url: string) => [number, Record<string, string>, Buffer?]) => {
    const seen: { readonly method: string; readonly authorization: string | undefined; readonly url: string }[] = []
    const host = await listen((request, response) => {
      const { method = '', url = '', headers } = request
      seen.push({ method, authorization: headers.authorization, url })
      request.resume()
      const [code, fields, body] = answer(url)
      request.once('end', () => response.writeHead(code, fields).end(body))
    })
    return { host, seen }
  }
  const redirect =
    (to: string): Fault =>
    (_request, response) =>
      response.writeHead(307, { location: to }).end()

  it('when a download is redirected to another host', async () => {
    ask('Basic realm="tests"', basic)
    const storage = await elsewhere(url => [200, {}, fake.blobs.get(url.slice(1).split('?')[0]!)!])
    for (const digest of fake.blobs.keys()) {
      fake.fail('GET', new RegExp(digest), redirect(`http://${storage.host}/${digest}?signature=s3cret`))
    }
    await pull()
    expect(storage.seen).toHaveLength(3)
    expect(storage.seen.every(({ authorization }) => authorization === undefined)).toBe(true)
  })

  it.each([() => 'Basic realm="tests"', (host: string) => `Bearer realm="http://${host}/token",service="x"`])(
    'when that host asks for them (%#)',
    async challenge => {
      ask('Basic realm="tests"', basic)
      let asked = ''
      const storage = await elsewhere(() => [401, { 'www-authenticate': asked }])
      asked = challenge(storage.host)
      fake.fail('GET', /blobs/, redirect(`http://${storage.host}/x?signature=s3cret`), 9)
      const text = await shown(pull())
      expect(text).toContain('REGISTRY_AUTH')
      expect(text).not.toContain('s3cret')
      expect(storage.seen.every(({ authorization }) => authorization === undefined)).toBe(true)
      expect(storage.seen.some(({ url }) => url.startsWith('/token'))).toBe(false)
    },
  )

  it('when that host leads back', async () => {
    ask('Basic realm="tests"', basic, /manifests/)
    const storage = await elsewhere(url => [302, { location: `${fake.url}${url}` }])
    for (const digest of fake.blobs.keys()) {
      fake.fail('GET', new RegExp(digest), redirect(`http://${storage.host}/v2/team/app/blobs/${digest}`))
    }
    await pull()
    const blobs = fake.requests.filter(({ path }) => path.startsWith('blobs'))
    expect(blobs).toHaveLength(6)
    expect(blobs.filter(({ authorization }) => authorization === undefined)).toHaveLength(3)
  })

  it('when an upload is to go on at another host', async () => {
    fake.blobs.clear()
    ask('Basic realm="tests"', basic)
    const storage = await elsewhere(() => [201, {}])
    fake.fail(
      'POST',
      /uploads/,
      (_request, response) => {
        response.writeHead(202, { location: `http://${storage.host}/put?signature=s3cret` }).end()
      },
      9,
    )
    await push()
    expect(storage.seen).toHaveLength(3)
    expect(
      storage.seen.every(
        ({ authorization, url }) => authorization === undefined && url.includes('signature=s3cret&digest='),
      ),
    ).toBe(true)
  })

  it('but go along within it', async () => {
    ask('Basic realm="tests"', basic)
    fake.fail('GET', /manifests\/1.0.0/, redirect(`/v2/team/app/manifests/${image.digest}`))
    await pull()
    expect(fake.requests.find(({ path }) => path === `manifests/${image.digest}`)?.authorization).toBe(basic)
  })

  it('and redirects come to an end', async () => {
    fake.fail('GET', /manifests/, redirect('/v2/team/app/manifests/1.0.0'), 99)
    expect(await codeOfAsync(pull())).toBe('REGISTRY_REFUSED')
    expect(fake.requests.length).toBeLessThan(10)
  })

  it.each(['user:pass@127.0.0.1:1/x', '/\\[', ''])('and nobody follows a redirect to %j', async to => {
    fake.fail('GET', /manifests/, redirect(to === '' ? '' : `http://${to}`), 9)
    expect(await codeOfAsync(pull())).toMatch(/^REGISTRY_/)
  })
})

describe('a registry that wants tokens', () => {
  interface TokenRequest {
    readonly method: string
    readonly authorization: string | undefined
    readonly url: URL
    readonly body: string
  }
  let requests: TokenRequest[]
  let host: string
  let answer: () => [number, string]
  beforeEach(async () => {
    requests = []
    answer = () => [200, JSON.stringify({ token: 'token-1', expires_in: 300 })]
    host = await listen(async (request, response) => {
      let body = ''
      for await (const piece of request) body += String(piece)
      const { method = '', headers, url = '' } = request
      requests.push({ method, authorization: headers.authorization, url: new URL(url, 'http://x'), body })
      const [code, text] = answer()
      response.writeHead(code, { 'content-type': 'application/json' }).end(text)
    })
  })
  const challenge = (more = '') => `Bearer realm="http://${host}/token?a=b",service="tests"${more}`

  it('gets one for everything that is done at once', async () => {
    ask(challenge(',scope="repository:team/app:pull aws"'), 'Bearer token-1')
    await pull()
    expect(requests).toHaveLength(1)
    const [request] = requests
    expect(request).toMatchObject({ method: 'GET', authorization: basic })
    expect(request?.url.searchParams.getAll('scope')).toEqual(['repository:team/app:pull', 'aws'])
    expect(Object.fromEntries(request!.url.searchParams)).toMatchObject({ a: 'b', service: 'tests', account: 'alice' })
  })

  it('gets one without a scope of its own, and for pushing when a push is under way', async () => {
    ask(challenge(',scope=""'), 'Bearer token-1')
    await push()
    expect(requests[0]?.url.searchParams.getAll('scope')).toEqual(['repository:team/app:pull,push'])
  })

  it('gets another when one is too old', async () => {
    answer = () => [200, JSON.stringify({ token: 'token-1', expires_in: 61 })]
    ask(challenge(), 'Bearer token-1')
    fake.fail('GET', /blobs/, (_request, response) => {
      response.writeHead(429, { 'retry-after': '60', 'content-length': 0 }).end()
    })
    await pull()
    expect(requests).toHaveLength(2)
  })

  it('gets one without credentials when none are stored', async () => {
    environment = {}
    ask(challenge(), 'Bearer token-1')
    await pull()
    expect(requests).toMatchObject([{ method: 'GET', authorization: undefined }])
  })

  it('gets one for an identity token, which stays at the token server', async () => {
    const auths = { [fake.host]: { identitytoken: 'long-lived', ...entry('alice', secret) } }
    environment = { REGISTRY_AUTH_FILE: writeFile(newFolder(), 'auth.json', { auths }) }
    answer = () => [200, JSON.stringify({ access_token: 'token-1', expires_in: 300 })]
    ask(challenge(), 'Bearer token-1')
    await pull()
    expect(requests).toMatchObject([{ method: 'POST', authorization: undefined }])
    expect(Object.fromEntries(new URLSearchParams(requests[0]!.body))).toEqual({
      grant_type: 'refresh_token',
      client_id: 'cutover',
      service: 'tests',
      scope: 'repository:team/app:pull',
      refresh_token: 'long-lived',
    })
    expect(JSON.stringify(fake.requests)).not.toContain('long-lived')
  })

  it.each([
    [401, '{}', 'REGISTRY_AUTH'],
    [404, '{}', 'REGISTRY_PROTOCOL'],
    [503, '{}', 'REGISTRY_UNAVAILABLE'],
    [302, '{}', 'REGISTRY_PROTOCOL'],
    [200, '{"token":"a\\r\\nX-Evil: 1"}', 'REGISTRY_PROTOCOL'],
    [200, 'no JSON', 'REGISTRY_PROTOCOL'],
    [200, '{"token":"wrong"}', 'REGISTRY_AUTH'],
  ])('is told of when the token server answers %i %s', async (code, text, expected) => {
    answer = () => [code, text]
    ask(challenge(), 'Bearer token-1')
    const told = await shown(pull())
    expect(told).toContain(`"code":"${expected}"`)
    for (const hidden of [secret, basic.slice(6), 'X-Evil', 'no JSON', 'wrong']) expect(told).not.toContain(hidden)
  })

  it.each([
    ['http://registry.example/token', 'REGISTRY_INSECURE'],
    ['http://127.0.0.1.example/token', 'REGISTRY_INSECURE'],
    ['https://user:x@registry.example/token', 'REGISTRY_PROTOCOL'],
    ['file:///etc/passwd', 'REGISTRY_PROTOCOL'],
    ['/token', 'REGISTRY_PROTOCOL'],
  ])('does not get credentials sent to %s', async (realm, expected) => {
    ask(`Bearer realm="${realm}"`, 'Bearer token-1')
    expect(await codeOfAsync(pull())).toBe(expected)
  })

  it('gets one for both repositories where a layer is taken over', async () => {
    const baseName = `${fake.host}/team/base:1`
    const derived = makeImage({ folder: path.join(newFolder(), 'derived'), seed: 'd', baseName })
    ask(challenge(), 'Bearer token-1')
    const name = { registry: fake.host, repository: 'team/app' }
    const common = { plainHttp: false, environment, onProgress: () => {} }
    await pushImage({ ...common, folder: derived.folder, name, tags: ['1'] }, tools)
    expect(requests.map(({ url }) => url.searchParams.getAll('scope'))).toEqual([
      ['repository:team/app:pull,push'],
      ['repository:team/app:pull,push', 'repository:team/base:pull'],
    ])
  })
})

describe('stored credentials', () => {
  const name = { registry: 'registry.example', repository: 'team/app' }
  const find = (given: Environment) => findCredentials(name, given, tools)
  const file = (user: string) => ({ auths: { 'registry.example': entry(user, 'p') } })

  it('are looked for in the files of Podman, then in that of Docker', async () => {
    const home = newFolder()
    const places = ['run/containers/auth.json', '.config/containers/auth.json', '.docker/config.json']
    for (const place of places) writeFile(home, place, file(place))
    const given = { HOME: home, XDG_RUNTIME_DIR: path.join(home, 'run') }
    for (const place of places) {
      expect(await find(given)).toEqual({ kind: 'password', user: place, password: 'p' })
      fs.rmSync(path.join(home, place))
    }
    expect(await find(given)).toBeUndefined()
  })

  it('are looked for where variables say, and then nowhere else', async () => {
    const home = newFolder()
    writeFile(home, '.docker/config.json', file('home'))
    writeFile(home, 'other/config.json', file('other'))
    expect(await find({ HOME: home, DOCKER_CONFIG: path.join(home, 'other') })).toMatchObject({ user: 'other' })
    expect(await find({ HOME: home, REGISTRY_AUTH_FILE: path.join(home, 'none') })).toBeUndefined()
  })

  it('warn when others may read them', async () => {
    const place = writeFile(newFolder(), 'auth.json', file('a'))
    await find({ REGISTRY_AUTH_FILE: place })
    expect(tools.warnings).toEqual([])
    fs.chmodSync(place, 0o644)
    await find({ REGISTRY_AUTH_FILE: place })
    expect(tools.warnings).toHaveLength(1)
    expect(tools.warnings[0]).toContain(`chmod 600 ${place}`)
  })

  it('that cannot be read say where, and nothing of what is there', async () => {
    const place = writeFile(newFolder(), 'auth.json', `{"auths":{"registry.example":{"auth":"${secret}`)
    const text = await shown(find({ REGISTRY_AUTH_FILE: place }))
    expect(text).toContain('REGISTRY_CREDENTIALS')
    expect(text).toContain(place)
    expect(text).not.toContain(secret)
  })
})

describe('a credential helper', () => {
  const name = { registry: 'registry.example', repository: 'team/app' }
  let folder: string
  beforeEach(() => {
    folder = newFolder()
  })
  const helper = (script: string) => writeFile(folder, 'docker-credential-tests', `#!/bin/sh\n${script}\n`, 0o755)
  const find = (configuration: unknown, wanted = name) => {
    const given = { DOCKER_CONFIG: folder, PATH: `${folder}:${process.env['PATH']}` }
    writeFile(folder, 'config.json', configuration)
    return findCredentials(wanted, given, tools)
  }

  it('is asked for its registry, on its standard input', async () => {
    helper(`printf '%s' "$*" >'${folder}/argv'; cat >'${folder}/stdin'; echo '{"Username":"bob","Secret":"s"}'`)
    const found = await find({ credHelpers: { 'registry.example': 'tests' } })
    expect(found).toEqual({ kind: 'password', user: 'bob', password: 's' })
    expect(fs.readFileSync(path.join(folder, 'argv'), 'utf8')).toBe('get')
    expect(fs.readFileSync(path.join(folder, 'stdin'), 'utf8')).toBe('registry.example')
  })

  it('may have an identity token', async () => {
    helper(`cat >/dev/null; echo '{"Username":"<token>","Secret":"long"}'`)
    expect(await find({ credsStore: 'tests' })).toEqual({ kind: 'identity', token: 'long' })
  })

  it('knows Docker Hub by its old address', async () => {
    helper(`[ "$(cat)" = https://index.docker.io/v1/ ] && echo '{"Username":"hub","Secret":"s"}'`)
    const hub = { registry: 'docker.io', repository: 'library/notes' }
    expect(await find({ credsStore: 'tests' }, hub)).toMatchObject({ user: 'hub' })
  })

  it('that knows nothing leaves it to the entries', async () => {
    helper('cat >/dev/null; echo "credentials not found in native keychain"; exit 1')
    const auths = { 'registry.example': entry('file', 'p') }
    expect(await find({ credsStore: 'tests', auths })).toMatchObject({ user: 'file' })
    expect(await find({ credsStore: 'tests' })).toBeUndefined()
  })

  it.each([
    ['fails', `echo '${secret}'; echo '${secret}' >&2; exit 1`],
    ['says something else', `echo '${secret}'`],
    ['says half of it', `echo '{"Username":"bob","Password":"${secret}"}'`],
    ['is killed', `echo '${secret}'; kill -9 $$`],
  ])('that %s ends the command without showing a word of it', async (_what, script) => {
    helper(script)
    const text = await shown(find({ credsStore: 'tests' }))
    expect(text).toContain('REGISTRY_CREDENTIALS')
    expect(text).not.toContain(secret)
  })

  it.each(['a b', '-x', 'a;id', '.a'])('called %j is not run, even if there is one', async store => {
    writeFile(folder, `docker-credential-${store}`, `#!/bin/sh\necho '{"Username":"bob","Secret":"s"}'\n`, 0o755)
    expect(await codeOfAsync(find({ credsStore: store }))).toBe('REGISTRY_CREDENTIALS')
  })

  it.each(['../../bin/sh', 'none-of-this-name'])('called %j is not found', async store => {
    expect(await codeOfAsync(find({ credsStore: store }))).toBe('REGISTRY_CREDENTIALS')
  })
})
