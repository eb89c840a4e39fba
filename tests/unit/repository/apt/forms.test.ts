import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compressedForms, type IndexForm } from '../../../../src/repository/apt/forms.ts'

// .xz needs another program: tests/conformance/apt-forms.test.ts.
const cases: readonly (readonly [IndexForm, (file: Buffer) => Buffer])[] = [
  [compressedForms.gz, file => gunzipSync(file)],
  [compressedForms.zst, file => zstdDecompressSync(file)],
]

describe.each(cases)('$extension', (form, decode) => {
  const texts = fc.array(
    fc.string({ minLength: 1, maxLength: 600 }).map(text => Buffer.from(text)),
    { maxLength: 4 },
  )

  it('makes files that decode to the texts, and come apart into the same pieces', async () => {
    await fc.assert(
      fc.asyncProperty(texts, async chunks => {
        const pieces = await form.compress(chunks)
        const file = form.join(pieces)
        expect(decode(file)).toEqual(Buffer.concat(chunks))
        expect(form.walk(file)).toEqual(pieces)
        expect(pieces.map(piece => form.expand!(piece))).toEqual(chunks)
      }),
    )
  })

  it.each([1, 255, 256, 257, 65_791, 65_792, 300_000])('knows the length of a text of %i bytes', async sizeBytes => {
    const text = Buffer.from(Array.from({ length: sizeBytes }, (_, at) => (at * at) % 251))
    expect(form.walk(form.join(await form.compress([text])))).toMatchObject([{ plainSizeBytes: sizeBytes }])
  })

  it('takes nothing for its own that it did not make, and never reads beyond the end', async () => {
    const file = form.join(await form.compress([Buffer.from('one'.repeat(100)), Buffer.from('two')]))
    for (const other of [gzipSync('text'), zstdCompressSync(Buffer.from('')), Buffer.from('text')]) {
      expect(form.walk(Buffer.concat([file, other]))?.length ?? 0).not.toBe(3)
    }
    for (let end = 1; end < file.byteLength; end += 1) {
      const pieces = form.walk(file.subarray(0, end))
      if (pieces !== undefined) expect(Buffer.concat(pieces.map(piece => piece.bytes))).toEqual(file.subarray(0, end))
    }
  })
})
