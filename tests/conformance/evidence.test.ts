import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { Version } from '@cyclonedx/cyclonedx-library/Spec'
import { JsonStrictValidator } from '@cyclonedx/cyclonedx-library/Validation'
import { describe, expect, it } from 'vitest'
import { buildTree } from '../../src/build/tree.ts'
import { digestOf } from '../../src/core/digest.ts'
import { debianComponents } from '../../src/evidence/debian.ts'
import { signStatement } from '../../src/evidence/dsse.ts'
import { takeInventory } from '../../src/evidence/sbom.ts'
import { storedZip, testSbom } from '../support/evidence.ts'
import { repositoryRoot } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

describe('an SBOM', () => {
  const validate = (text: string) => new JsonStrictValidator(Version.v1dot6).validate(text)
  const odd = {
    name: 'odd\u0000 "name"',
    version: '1.0.0',
    license: '(MIT',
    licenses: [{ type: 'MIT' }, { type: 'Mine', url: 'ht tp://%%' }],
    homepage: 'javascript:<alert>',
    repository: { url: 'git@example.org:a b/c.git', directory: '#?' },
    bugs: { url: '\\\\x' },
    author: { name: '\ud800' },
    description: 'x'.repeat(5000),
    engines: { node: '>=1', 'a b': 'c' },
    dist: { tarball: '::', integrity: 'no', shasum: 'no' },
    dependencies: { odd: '1', '../..': '1', b: '1' },
  }
  const status = 'Package: base-files\nStatus: install ok installed\nVersion: 13.8+deb13u1\nHomepage: no address\n'

  it('is valid by the official schema, whatever a payload says', async () => {
    const { bytes, packages } = await testSbom(
      {
        'package.json': '{"name":"app"}',
        'node_modules/odd/package.json': JSON.stringify(odd),
        'node_modules/b/package.json': '{"name":"@scope/b","license":"MIT OR ISC","homepage":"https://example.org"}',
        'node_modules/bad/package.json': 'no',
        'lib/x-1.dist-info/METADATA': 'Name: x\nVersion: 1\nHome-page: not one\nLicense-Expression: Nothing Known\n',
        'vendor/w-1.whl': storedZip({ 'w-1.dist-info/METADATA': 'Name: w\nVersion: 1\nAuthor: Ada\n' }),
        'ünïcode \\ name': '',
      },
      {
        folder: tempFolder(),
        baseImages: [
          { reference: 'debian:13', digest: digestOf('base'), platform: 'linux/amd64', dpkgStatus: status },
          { reference: 'scratch-like', digest: digestOf('other'), platform: 'linux/arm64', dpkgStatus: '' },
        ],
      },
    )
    expect(packages).toBe(4)
    expect(await validate(bytes.toString())).toBeNull()
    // The validator does look.
    const bill = JSON.parse(bytes.toString())
    expect(
      await validate(JSON.stringify({ ...bill, components: [...bill.components, bill.components[0]] })),
    ).not.toBeNull()
    expect(await validate(JSON.stringify({ ...bill, unheardOf: 1 }))).not.toBeNull()
  })

  it('has what npm installed here, copy by copy', async () => {
    const lock = JSON.parse(fs.readFileSync(path.join(repositoryRoot, 'node_modules/.package-lock.json'), 'utf8'))
    const installed = Object.entries<{ version: string }>(lock.packages).map(([place, { version }]) => [place, version])
    // Without what tools keep there, and what a script of the package `node` installs by itself.
    const exclude = ['node_modules/.*', 'node_modules/node/node_modules']
    const payload = { root: 'opt/app', entries: [{ from: 'node_modules' }, { from: 'package.json' }], exclude }
    const inventory = await takeInventory({ tree: buildTree(repositoryRoot, payload), checkoutFolder: repositoryRoot })
    const found = inventory.packages.map(({ component }) => [component.bomRef.value, component.version])
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(installed))
    expect(inventory.problems).toEqual([])
    // The lock file of this repository has a digest for each of them.
    expect(inventory.packages.filter(({ component }) => component.hashes.size === 0)).toEqual([])
  })

  it.skipIf(!needTool('dpkg-query'))('has the Debian packages that dpkg knows', () => {
    const format = '${db:Status-Status} ${Package} ${Version} ${Architecture}\n'
    const listed = execFileSync('dpkg-query', ['--show', `--showformat=${format}`], { encoding: 'utf8' })
    const installed = listed.split('\n').filter(line => line.startsWith('installed '))
    const components = debianComponents(fs.readFileSync('/var/lib/dpkg/status', 'utf8'), { refPrefix: 'x' })
    const found = components.map(({ name, version, bomRef }) => {
      return `installed ${name} ${version} ${bomRef.value?.split(':').at(-1)}`
    })
    expect(found.toSorted()).toEqual(installed.toSorted())
    const libc = components.find(({ name }) => name === 'libc6')!
    const needing = components.filter(({ dependencies }) => dependencies.has(libc.bomRef))
    expect(needing.map(({ name }) => name)).toContain('coreutils')
  })

  it.skipIf(!needTool('python3'))('has the distributions that Python finds in a folder', async () => {
    const folder = tempFolder()
    execFileSync('/usr/bin/python3', ['-m', 'venv', path.join(folder, 'venv')])
    const site = fs.readdirSync(path.join(folder, 'venv/lib'))[0]!
    const place = path.join(folder, 'venv/lib', site, 'site-packages')
    const script = `import importlib.metadata as m, json
print(json.dumps(sorted([d.metadata["Name"], d.version] for d in m.distributions(path=[${JSON.stringify(place)}]))))`
    const listed = JSON.parse(execFileSync('/usr/bin/python3', ['-c', script], { encoding: 'utf8' }))
    expect(listed.length).toBeGreaterThan(0)
    const tree = buildTree(place, { root: 'opt/app', entries: [{ from: '.' }], exclude: [] })
    const { packages } = await takeInventory({ tree })
    expect(packages.map(({ component }) => [component.name, component.version]).toSorted()).toEqual(listed)
    // What pip installed is pip's, not the application's.
    const pip = packages.find(({ component }) => component.name === 'pip')
    expect(pip?.files).toContain('pip/__init__.py')
  })
})

/** DSSE's protocol, written from the specification alone: it takes the envelope apart for openssl to look at. */
const takeApart = `
import base64, json, sys
envelope = json.loads(open(sys.argv[1]).readline())
payload = base64.b64decode(envelope["payload"], validate=True)
kind = envelope["payloadType"].encode()
pae = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])
open(sys.argv[2], "wb").write(pae)
open(sys.argv[3], "wb").write(base64.b64decode(envelope["signatures"][0]["sig"], validate=True))
sys.stdout.write(json.loads(payload)["_type"])
`

it.skipIf(!needTool('openssl', 'python3'))('a signed provenance is verified by Python and openssl', () => {
  const folder = tempFolder()
  const file = (name: string) => path.join(folder, name)
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  fs.writeFileSync(file('key.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
  const statement = Buffer.from('{"_type":"https://in-toto.io/Statement/v1","of":"Nöte"}')
  const signer = { keyId: 'k', sign: (bytes: Buffer) => sign(undefined, bytes, privateKey) }
  fs.writeFileSync(file('envelope.jsonl'), signStatement(statement, signer))
  const verify = () => {
    const argv = ['-c', takeApart, file('envelope.jsonl'), file('pae'), file('sig')]
    expect(execFileSync('/usr/bin/python3', argv, { encoding: 'utf8' })).toBe('https://in-toto.io/Statement/v1')
    const check = ['pkeyutl', '-verify', '-pubin', '-inkey', file('key.pem'), '-rawin', '-in', file('pae')]
    return spawnSync('openssl', [...check, '-sigfile', file('sig')], { encoding: 'utf8' }).status
  }
  expect(verify()).toBe(0)
  const changed = fs.readFileSync(file('envelope.jsonl'), 'utf8').replace(/"payload":"[^"]+"/, () => {
    return `"payload":"${Buffer.from(statement.toString().replace('Nöte', 'Node')).toString('base64')}"`
  })
  fs.writeFileSync(file('envelope.jsonl'), changed)
  expect(verify()).not.toBe(0)
})
