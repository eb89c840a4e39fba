import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { verify } from '../../src/flow/verify.ts'
import { type PrefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import { prepareRuntime } from '../../src/prefix/runtime.ts'
import { checkRuntime } from '../../src/prefix/runtime-check.ts'
import { pipInside } from '../../src/prefix/virtualenv.ts'
import { lookUpUser } from '../../src/sys/account.ts'
import { startCutover } from '../support/cutover-cli.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { toyInstallation } from '../support/toy-release.ts'
import { madeWheel } from '../support/wheel.ts'

const hasPython = needTool('python3', 'pip3')
const isRoot = process.geteuid?.() === 0
const nobody = isRoot ? lookUpUser('nobody') : undefined

describe.skipIf(!hasPython)('a virtualenv', () => {
  let paths: PrefixPaths
  const runtime = { kind: 'python', version: '>=3.9', vendor: 'vendor', packages: ['toy'] } as const

  beforeAll(async () => {
    const root = tempFolder()
    fs.chmodSync(root, 0o755)
    const toy = toyInstallation(root)
    paths = toy.paths
    const release = await toy.cut({
      version: '1.0.0',
      node: { runtime, ...(isRoot ? { user: 'nobody' } : {}) },
      files: {
        'vendor/toy-1.0.0-py3-none-any.whl': madeWheel('toy', 'Requires-Dist: toy-dep>=1\n'),
        'vendor/toy_dep-1.0.0-py3-none-any.whl': madeWheel('toy_dep', ''),
        'app/main.py': 'import toy, toy_dep\nprint(toy.__file__)\n',
        'app/broken.py': 'this is {{ a template }}\n',
      },
    })
    await install({ prefix: paths.root, resolve: resolveFromFolder(release) }, recordedTools())
  })

  const run = (...words: readonly string[]) => {
    const release = releasePaths(paths, '1.0.0')
    const options = { cwd: release.root, encoding: 'utf8', ...(nobody ?? {}) } as const
    return execFileSync(release.python, words, options).trim()
  }

  it('is the user’s to run and not to write, with its bytecode made', async () => {
    expect(run('-m', 'toy')).toBe('')
    expect(run('app/main.py')).toMatch(/site-packages\/toy\.py$/)
    const cached = fs.readdirSync(path.join(releasePaths(paths, '1.0.0').root, 'app/__pycache__'))
    expect(cached).toEqual([expect.stringMatching(/^main\.cpython-\d+\.pyc$/)])
    await verify({ prefix: paths.root, offline: true }, recordedTools())
    if (nobody === undefined) return
    const { venv } = releasePaths(paths, '1.0.0')
    const writable = `import os; print([d for d, _, _ in os.walk(${JSON.stringify(venv)}) if os.access(d, os.W_OK)])`
    expect(run('-c', writable)).toBe('[]')
  })

  it('sees no packages but its own, of the machine’s or of a user’s', () => {
    const script =
      'import importlib.util, site, sys; print(importlib.util.find_spec("pip"), site.ENABLE_USER_SITE, [p for p in sys.path if "-packages" in p])'
    const { venv } = releasePaths(paths, '1.0.0')
    expect(run('-c', script)).toMatch(new RegExp(`^None False \\['${venv}/lib/python[\\d.]+/site-packages'\\]$`))
  })

  it('is filled by a pip of another make as well', () => {
    const fake = tempFolder()
    fs.mkdirSync(path.join(fake, 'pip'))
    fs.writeFileSync(path.join(fake, 'pip/__init__.py'), '')
    const words = ['-c', pipInside, releasePaths(paths, '1.0.0').python, 'list', '--format=freeze']
    const listed = execFileSync('/usr/bin/python3', words, { env: { PYTHONPATH: fake }, encoding: 'utf8' })
    expect(listed).toBe('toy==1.0.0\ntoy_dep==1.0.0\n')
  })

  it('is looked at again: gone with its interpreter, or left behind by another one', async () => {
    const release = releasePaths(paths, '1.0.0')
    const subject = {
      paths,
      version: '1.0.0',
      runtime: { ...runtime, packages: [...runtime.packages] },
      account: undefined,
    }
    await checkRuntime(subject)
    const settings = path.join(release.venv, 'pyvenv.cfg')
    const text = fs.readFileSync(settings, 'utf8')
    fs.writeFileSync(settings, text.replace(/^version = .*$/m, 'version = 3.2.1'))
    await expect(checkRuntime(subject)).rejects.toMatchObject({
      code: 'RUNTIME_VERSION',
      details: { expected: 'python 3.2' },
    })
    fs.writeFileSync(settings, text)
    const outside = { ...subject, runtime: { ...subject.runtime, version: '>=99' } }
    await expect(checkRuntime(outside)).rejects.toMatchObject({ code: 'RUNTIME_VERSION' })
    const target = fs.readlinkSync(release.python)
    fs.rmSync(release.python)
    fs.symlinkSync('/nonexistent/python3', release.python)
    await expect(checkRuntime(subject)).rejects.toMatchObject({ code: 'RUNTIME_MISSING' })
    expect(await serveOnce(paths.root)).toContain('RUNTIME_MISSING')
    fs.rmSync(release.python)
    fs.symlinkSync(target, release.python)
  })
})

/** Serve the prefix until its release was started, or was not; what was told by then. */
async function serveOnce(prefix: string): Promise<string> {
  const child = startCutover(['serve', prefix, '--listen', '127.0.0.1:0', '--json'])
  const closed = once(child, 'close')
  let told = ''
  for await (const piece of child.stdout) {
    told += piece
    if (/"step-(done|skipped)","step":"start"/.test(told)) child.kill()
  }
  await closed
  return told
}

it.skipIf(!hasPython)('installs no file of the vendor folder that is not as the manifest has it', async () => {
  const { paths } = toyInstallation()
  const { root, metadata } = releasePaths(paths, '1.0.0')
  const name = 'vendor/toy-1.0.0-py3-none-any.whl'
  fs.mkdirSync(path.join(root, 'vendor'), { recursive: true })
  fs.mkdirSync(metadata)
  fs.writeFileSync(path.join(root, name), madeWheel('toy', ''))
  const file = { mode: 0o644, sizeBytes: 0, tarOffset: 0, firstSegment: 0, lastSegment: 0 }
  const prepared = prepareRuntime({
    paths,
    version: '1.0.0',
    runtime: { kind: 'python', vendor: 'vendor', packages: ['toy==1.0.0'] },
    manifest: { version: '1.0.0', files: [{ type: 'file', path: name, digest: digestOf('another'), ...file }] },
    values: {},
    signal: new AbortController().signal,
  })
  await expect(prepared).rejects.toMatchObject({ code: 'SETUP_FAILED' })
})
