import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import type { PayloadManifest } from '../../../src/payload/manifest.ts'
import { vendorRequirements } from '../../../src/prefix/vendor.ts'

const hash = (name: string) => `--hash=${digestOf(name)}`

function manifest(...names: readonly string[]): Pick<PayloadManifest, 'files' | 'version'> {
  const files = names.map(name => ({
    type: 'file' as const,
    path: name,
    mode: 0o644,
    sizeBytes: 1,
    digest: digestOf(name),
    tarOffset: 0,
    firstSegment: 0,
    lastSegment: 0,
  }))
  return { version: '1.0.0', files }
}

describe('vendorRequirements', () => {
  it('pins everything that the folder holds, with the digests of all files of a version', () => {
    const wheel = 'vendor/toy-1.0.0-py3-none-any.whl'
    const source = 'vendor/toy-1.0.0.tar.gz'
    const native = 'vendor/Fast_Lib-2.1+local.1-1build-cp311-cp311-manylinux_2_17_x86_64.whl'
    const others = ['vendor/README', 'vendor/below/other-1.0.tar.gz', 'elsewhere/more-1.0.tar.gz']
    const made = vendorRequirements(manifest(wheel, source, native, ...others), 'vendor', ['toy==1.0.0', 'fast.lib'])
    expect(made.requirements).toBe(`toy==1.0.0 ${hash(wheel)} ${hash(source)}\nFast_Lib==2.1+local.1 ${hash(native)}\n`)
    expect(made.constraints).toBe('toy==1.0.0\n')
  })

  it('keeps extras and what the recipe asks of a version', () => {
    const wheel = 'v/my_toy-1.2-py3-none-any.whl'
    const made = vendorRequirements(manifest(wheel), 'v', ['My.Toy[fast,http] >=1,<2'])
    expect(made.requirements).toBe(`my_toy[fast,http]==1.2 ${hash(wheel)}\n`)
    expect(made.constraints).toBe('My.Toy>=1,<2\n')
  })

  it('takes of two versions the one that the recipe names, and refuses to choose', () => {
    const [old, later] = ['v/toy-1.0-py3-none-any.whl', 'v/toy-1.1-py3-none-any.whl']
    const made = vendorRequirements(manifest(old, later), 'v', ['toy==1.1'])
    expect(made.requirements).toBe(`toy==1.1 ${hash(later)}\n`)
    expect(() => vendorRequirements(manifest(old, later), 'v', ['toy'])).toThrow(
      expect.objectContaining({ code: 'SETUP_FAILED', message: expect.stringContaining('1.0 and 1.1') }),
    )
  })

  it.each([['other==1.0'], ['--index-url=http://x'], ['']])('refuses %j, which the folder does not hold', wanted => {
    const files = manifest('v/toy-1.0-py3-none-any.whl')
    expect(() => vendorRequirements(files, 'v', [wanted])).toThrow(expect.objectContaining({ code: 'SETUP_FAILED' }))
  })
})
