import { ReleaseError } from '../../core/error.ts'
import { idleMsOf, type LeaseRecord, type LeaseStore, type LeaseView, parseLeaseRecord } from './lease.ts'
import type { S3Store } from './s3-store.ts'

const leaseKey = '.cutover/lease.json'
const probeKey = '.cutover/conditional-writes'

/**
 * A lease as one object, which only conditional writes change: whoever names the state that is there wins, once.
 *
 * Source: Amazon S3 User Guide, "Conditional writes".
 */
export class S3Leases implements LeaseStore<string> {
  readonly #store: S3Store
  #isProven = false

  constructor(store: S3Store) {
    this.#store = store
  }

  look = async (): Promise<LeaseView<string> | undefined> => {
    let date: string | undefined
    const found = await this.#store.attempt('GET of the lease', 'missing', ({ client, sdk }) => {
      const command = new sdk.GetObjectCommand(this.#store.objectOf(leaseKey))
      // The age is told by the store's own clock, and its library does not hand on that header.
      command.middlewareStack.add(
        next => async input => {
          const result = await next(input)
          date = (result.response as { readonly headers?: Record<string, string> }).headers?.['date']
          return result
        },
        { step: 'deserialize', priority: 'high' },
      )
      return client.send(command)
    })
    if (found?.ETag === undefined) return undefined
    const record = parseLeaseRecord((await found.Body?.transformToByteArray()) ?? new Uint8Array())
    return { place: found.ETag, record, mark: found.ETag, idleMs: idleMsOf(date, found.LastModified?.toUTCString()) }
  }

  claim = async (after: LeaseView<string> | undefined, record: LeaseRecord): Promise<string | undefined> => {
    await this.#prove()
    return await this.#put(leaseKey, record, after === undefined ? { IfNoneMatch: '*' } : { IfMatch: after.place })
  }

  write = (place: string, record: LeaseRecord): Promise<string | undefined> =>
    this.#put(leaseKey, record, { IfMatch: place })

  async #put(
    key: string,
    record: LeaseRecord,
    condition: { readonly IfNoneMatch: '*' } | { readonly IfMatch: string },
  ): Promise<string | undefined> {
    const text = JSON.stringify(record)
    const object = {
      ...this.#store.objectOf(key),
      ...condition,
      ContentType: 'application/json',
      CacheControl: 'no-store',
    }
    const written = await this.#store.attempt(`PUT of ${key}`, 'precondition', ({ client, sdk }) =>
      client.send(new sdk.PutObjectCommand({ ...object, Body: text })),
    )
    if (written !== undefined) return written.ETag
    // An attempt whose answer was lost may have been the one that was faster.
    const view = key === leaseKey ? await this.look() : undefined
    return view !== undefined && JSON.stringify(view.record) === text ? view.place : undefined
  }

  /** A store that does not know conditions takes every write: with it, two publishers would both have the lease. Errors: TARGET_REFUSED. */
  async #prove(): Promise<void> {
    if (this.#isProven) return
    const owner = { pid: process.pid, host: '', command: 'a look at conditional writes', sinceMs: 0 }
    const record: LeaseRecord = { id: '', state: 'released', owner, beat: 0 }
    await this.#put(probeKey, record, { IfNoneMatch: '*' })
    const again = await this.#put(probeKey, record, { IfNoneMatch: '*' })
    const other = await this.#put(probeKey, record, { IfMatch: '"00000000000000000000000000000000"' })
    if (again !== undefined || other !== undefined) {
      throw new ReleaseError('TARGET_REFUSED', `${this.#store.name} does not know conditional writes`, {
        hint: 'publish to a store that does (Amazon S3, MinIO since 2024), or to a folder or a WebDAV server',
        details: { url: this.#store.name },
      })
    }
    this.#isProven = true
  }
}
