import { ReleaseError } from '../../core/error.ts'
import { readAnswer } from '../../sys/exchange.ts'
import type { DavClient, DavRequest } from './dav.ts'
import { idleMsOf, type LeaseRecord, type LeaseStore, type LeaseView, parseLeaseRecord } from './lease.ts'

const folder = '.cutover/leases'
const newestKey = `${folder}/newest`
const folderOf = (number: number) => `${folder}/${number}/`
const recordOf = (number: number) => `${folder}/${number}/holder.json`

/** So many are kept: a number that was removed is far from any that a waiting publisher could still try. */
const keptLeases = 1000

/** A lease's requests are short, and their time is bounded. */
const limits = { attempts: 2, idleTimeoutMs: 10_000 }

/**
 * Leases as numbered folders on a WebDAV server.
 *
 * A number belongs to whoever made its folder: mkdir(2) behind MKCOL succeeds once, where a MOVE that must not overwrite is a look and then a
 * rename in nginx. The next number is tried only when the holder of the last has given it back or has stopped believing in it. `newest` is
 * where the search begins; it may be behind.
 * Source: RFC 4918 §9.3.1.
 */
export class DavLeases implements LeaseStore<number> {
  readonly #client: DavClient
  #newest = 0

  constructor(client: DavClient) {
    this.#client = client
  }

  look = async (): Promise<LeaseView<number> | undefined> => {
    if (this.#newest === 0) this.#newest = await this.#readNewest()
    if (this.#newest === 0) return undefined
    const place = this.#newest
    const answer = await this.#read(recordOf(place))
    // Its maker has not yet written it, or died before.
    if (answer === undefined) return { place, record: undefined, mark: `${place}`, idleMs: undefined }
    const record = parseLeaseRecord(answer.bytes)
    const idleMs = idleMsOf(answer.date, answer.lastModified)
    return { place, record, mark: `${place} ${answer.lastModified} ${record?.beat}`, idleMs }
  }

  claim = async (after: LeaseView<number> | undefined, record: LeaseRecord): Promise<number | undefined> => {
    const number = (after?.place ?? 0) + 1
    this.#newest = number
    if (!(await this.#makeFolder(number))) return undefined
    await this.#put(recordOf(number), JSON.stringify(record))
    await this.#put(newestKey, String(number))
    return number
  }

  write = async (place: number, record: LeaseRecord): Promise<number | undefined> => {
    await this.#put(recordOf(place), JSON.stringify(record))
    if (record.state === 'released' && place > keptLeases) {
      await this.#ask({ method: 'DELETE', key: folderOf(place - keptLeases), expect: [200, 204, 404, 409] })
    }
    return place
  }

  async #readNewest(): Promise<number> {
    const answer = await this.#read(newestKey)
    if (answer === undefined) return 0
    const text = answer.bytes.toString()
    if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
    throw new ReleaseError('REPOSITORY_DAMAGED', `${newestKey} in ${this.#client.name} is not a number`, {
      details: { key: newestKey },
    })
  }

  /** True when it is ours: false when somebody has made it before. Errors: TARGET_REFUSED. */
  async #makeFolder(number: number): Promise<boolean> {
    const make = (key: string, expect: readonly number[]) => this.#ask({ method: 'MKCOL', key, expect })
    const key = folderOf(number)
    let answer = await make(key, [201, 405, 409])
    if (answer.status === 409) {
      for (const parent of ['.cutover/', `${folder}/`]) await make(parent, [201, 405])
      answer = await make(key, [201, 405])
    }
    if (answer.status === 201) return true
    // A server that does not know the method answers the same as one where the folder is there.
    const found = await this.#ask({ method: 'HEAD', key, expect: [200, 204, 301, 302, 403, 404] })
    if (found.status === 404) await make(key, [201])
    return found.status === 404
  }

  async #read(key: string) {
    const headers = { 'cache-control': 'no-cache' }
    const answer = await this.#client.send({ method: 'GET', key, expect: [200, 404], headers, ...limits })
    if (answer.status === 404) return void (await answer.finish())
    const bytes = await readAnswer(answer, 64 * 1024, key)
    return { bytes, date: answer.header('date'), lastModified: answer.header('last-modified') }
  }

  async #put(key: string, text: string): Promise<void> {
    const headers = { 'content-type': 'application/json' }
    await this.#ask({ method: 'PUT', key, expect: [200, 201, 204], headers, body: Buffer.from(text) })
  }

  #ask(request: DavRequest) {
    return this.#client.ask({ ...request, ...limits })
  }
}
