import { ReleaseError } from '../core/error.ts'
import { isRelativePath } from '../core/relative-path.ts'
import { type TarEntry, tarBlockBytes, tarEndBytes, tarPadded } from './tar.ts'

/** Called as a tar comes; the content of a file comes in pieces before the next member. */
export interface TarHandler {
  /** `contentOffset` is where the content stands in the tar. */
  readonly member: (entry: TarEntry, contentOffset: number) => void
  readonly content: (bytes: Uint8Array) => void
}

/** Tools fill a tar up to a full record, of 1 MiB at most; more is there to keep its reader busy. Source: GNU tar manual "Blocking Factor". */
const mostZeroBlocks = (1024 * 1024) / tarBlockBytes

/** The longest name or link target that a long-name record may hold. */
const longestName = 16 * 1024

/**
 * Read a tar as it comes, under the strictest of its readers' rules: GNU and ustar headers, no PAX and no types but folder,
 * file and symbolic link, names that stay below `./`, nothing after the end but zeros.
 *
 * Errors: TAR_INVALID. Source: deb(5); dpkg lib/dpkg/tarfn.c; GNU tar manual "Basic Tar Format".
 */
export class TarReader {
  readonly #handler: TarHandler
  readonly #block = Buffer.alloc(tarBlockBytes)
  #blockFilled = 0
  #contentLeft = 0
  #paddingLeft = 0
  #position = 0
  #zeroBlocks = 0
  #long: { kind: 'name' | 'link'; pieces: Buffer[] } | undefined
  #longName: string | undefined
  #longLink: string | undefined

  constructor(handler: TarHandler) {
    this.#handler = handler
  }

  /** Take the next bytes, however they are cut. */
  push(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.byteLength) {
      const left = bytes.byteLength - at
      if (this.#contentLeft > 0) at += this.#takeContent(bytes.subarray(at, at + Math.min(left, this.#contentLeft)))
      else if (this.#paddingLeft > 0) at += this.#takePadding(Math.min(left, this.#paddingLeft))
      else at += this.#takeBlock(bytes.subarray(at, at + Math.min(left, tarBlockBytes - this.#blockFilled)))
    }
  }

  /** End it. Errors: TAR_INVALID when it broke off or its end is missing. */
  finish(): void {
    const isWhole = this.#blockFilled === 0 && this.#contentLeft === 0 && this.#paddingLeft === 0
    if (!isWhole || this.#zeroBlocks * tarBlockBytes < tarEndBytes) throw this.#error('it ends too early')
  }

  #takeContent(bytes: Uint8Array): number {
    if (this.#long === undefined) this.#handler.content(bytes)
    else this.#long.pieces.push(Buffer.from(bytes))
    this.#position += bytes.byteLength
    this.#contentLeft -= bytes.byteLength
    if (this.#contentLeft === 0) this.#endLong()
    return bytes.byteLength
  }

  #takePadding(sizeBytes: number): number {
    this.#position += sizeBytes
    this.#paddingLeft -= sizeBytes
    return sizeBytes
  }

  #takeBlock(bytes: Uint8Array): number {
    this.#block.set(bytes, this.#blockFilled)
    this.#blockFilled += bytes.byteLength
    this.#position += bytes.byteLength
    if (this.#blockFilled < tarBlockBytes) return bytes.byteLength
    this.#blockFilled = 0
    if (this.#block.every(byte => byte === 0)) this.#takeEndBlock()
    else this.#takeHeader()
    return bytes.byteLength
  }

  #takeEndBlock(): void {
    if (this.#longName !== undefined || this.#longLink !== undefined) throw this.#error('a long name has no member')
    this.#zeroBlocks += 1
    if (this.#zeroBlocks > mostZeroBlocks) throw this.#error('it does not end')
  }

  #takeHeader(): void {
    if (this.#zeroBlocks > 0) throw this.#error('something follows its end')
    this.#checkSum()
    const typeFlag = String.fromCharCode(this.#block[156]!)
    const sizeBytes = this.#number(124, 12, 'size')
    if (typeFlag === 'L' || typeFlag === 'K') {
      this.#startLong(typeFlag, sizeBytes)
      return
    }
    const entry = this.#entry(typeFlag, sizeBytes)
    this.#longName = undefined
    this.#longLink = undefined
    this.#handler.member(entry, this.#position)
    this.#expect(entry.type === 'file' ? sizeBytes : 0)
  }

  #startLong(typeFlag: 'L' | 'K', sizeBytes: number): void {
    if (sizeBytes < 2 || sizeBytes > longestName) throw this.#error(`a long name has ${sizeBytes} bytes`)
    this.#long = { kind: typeFlag === 'L' ? 'name' : 'link', pieces: [] }
    this.#expect(sizeBytes)
  }

  #endLong(): void {
    if (this.#long === undefined) return
    const text = textOf(Buffer.concat(this.#long.pieces))
    if (this.#long.kind === 'name') this.#longName = text
    else this.#longLink = text
    this.#long = undefined
  }

  #expect(sizeBytes: number): void {
    this.#contentLeft = sizeBytes
    this.#paddingLeft = tarPadded(sizeBytes) - sizeBytes
  }

  #entry(typeFlag: string, sizeBytes: number): TarEntry {
    const name = this.#longName ?? this.#name()
    const mode = this.#number(100, 8, 'mode')
    if ((mode & ~0o777) !== 0) throw this.#error(`${name} has the mode ${mode.toString(8)}`)
    if (typeFlag !== '0' && typeFlag !== '\0' && sizeBytes !== 0) throw this.#error(`${name} has a size but no content`)
    switch (typeFlag) {
      case '5':
        if (!isFolderName(name)) throw this.#error(`unsafe name ${JSON.stringify(name)}`)
        return { type: 'directory', name, mode }
      case '0':
      case '\0':
        if (!isFileName(name)) throw this.#error(`unsafe name ${JSON.stringify(name)}`)
        return { type: 'file', name, mode, sizeBytes }
      case '2':
        if (!isFileName(name)) throw this.#error(`unsafe name ${JSON.stringify(name)}`)
        return { type: 'symlink', name, linkTarget: this.#longLink ?? textOf(this.#block.subarray(157, 257)) }
      default:
        throw this.#error(`${name} has the type ${JSON.stringify(typeFlag)}, which dpkg does not unpack`)
    }
  }

  #name(): string {
    const name = textOf(this.#block.subarray(0, 100))
    const isUstar = this.#block.toString('latin1', 257, 263) === 'ustar\0'
    const prefix = isUstar ? textOf(this.#block.subarray(345, 500)) : ''
    return prefix === '' ? name : `${prefix}/${name}`
  }

  #number(at: number, sizeBytes: number, what: string): number {
    if (this.#block[at]! >= 0x80) return this.#base256(at, sizeBytes, what)
    const text = this.#block.toString('latin1', at, at + sizeBytes).replace(/[\0 ]+$/, '')
    if (!/^ *[0-7]*$/.test(text)) throw this.#error(`a header has the ${what} ${JSON.stringify(text)}`)
    return Number.parseInt(text.trim() || '0', 8)
  }

  #base256(at: number, sizeBytes: number, what: string): number {
    const digits = this.#block.subarray(at + 1, at + sizeBytes)
    const value = digits.reduce((sum, digit) => sum * 256 + digit, 0)
    if (this.#block[at] !== 0x80 || !Number.isSafeInteger(value)) throw this.#error(`a header has a strange ${what}`)
    return value
  }

  #checkSum(): void {
    let sum = 0
    for (let index = 0; index < tarBlockBytes; index += 1) sum += index >= 148 && index < 156 ? 32 : this.#block[index]!
    const expected = this.#number(148, 8, 'checksum')
    if (sum !== expected) throw this.#error(`a header has the checksum ${sum}, expected ${expected}`)
  }

  #error(problem: string): ReleaseError {
    const message = `the tar cannot be read at byte ${this.#position}: ${problem}`
    return new ReleaseError('TAR_INVALID', message, { details: { position: this.#position } })
  }
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end === -1 ? bytes.byteLength : end)
}

function isFileName(name: string): boolean {
  return name.startsWith('./') && isRelativePath(name.slice(2))
}

function isFolderName(name: string): boolean {
  return name === './' || (name.endsWith('/') && isFileName(name.slice(0, -1)))
}
