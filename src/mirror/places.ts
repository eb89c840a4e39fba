import { ReleaseError } from '../core/error.ts'
import type { Opened, OpenOptions } from '../sys/http.ts'
import type { PaceLimits } from '../sys/pace.ts'
import type { RateLimit } from '../sys/rate-limit.ts'
import { longestAttempts, type RetryTools, systemRetryTools } from '../sys/retry.ts'
import type { Location, Mirror, WantedArtifact } from './mirror.ts'

/** What all fetching from places shares. */
export interface PlacesOptions {
  /** In the order in which they are asked; the last is the repository itself. */
  readonly mirrors: readonly [...Mirror[], Mirror]
  readonly bandwidth?: RateLimit | undefined
  readonly pace?: PaceLimits | undefined
  /** Told of each place that is given up while there is another. */
  readonly onFailure?: ((place: string, error: ReleaseError) => void) | undefined
  readonly retryTools?: RetryTools | undefined
}

/** Where an artifact may be, and at which place that is. */
export interface PlacedLocation extends Location {
  readonly mirror: Mirror
  readonly wanted: WantedArtifact
  /** How often it is asked before it is given up. */
  readonly attempts: number
}

const mirrorAttempts = 3

/**
 * The places that files of releases are fetched from in one run, and what is known of them by now.
 *
 * A place that sent other bytes than were signed, or could not be reached, is not asked again for anything; but the last one always is, for
 * there is no other.
 */
export class Places {
  readonly retryTools: RetryTools
  readonly #options: PlacesOptions
  readonly #objections = new Map<Mirror, ReleaseError>()
  /** All bytes that came, from wherever, those that were thrown away included. */
  fetchedBytes = 0

  constructor(options: PlacesOptions) {
    this.#options = options
    this.retryTools = options.retryTools ?? systemRetryTools
  }

  /** Say where artifacts may be, any of which will do: first all at the first place, the most wanted first. */
  locate(wanted: readonly WantedArtifact[]): readonly PlacedLocation[] {
    return this.#options.mirrors.flatMap(mirror => wanted.flatMap(each => this.#locateAt(mirror, each)))
  }

  /** Why a place is not to be asked any more; undefined when it may be. */
  objection(mirror: Mirror): ReleaseError | undefined {
    return this.#objections.get(mirror)
  }

  /** Remember what a place did, for whoever would ask it next. */
  note(mirror: Mirror, error: ReleaseError): void {
    if (mirror !== this.#options.mirrors.at(-1) && isHopeless(error)) this.#objections.set(mirror, error)
  }

  /** Tell of a place that is given up while there is another. */
  tell(place: string, error: ReleaseError): void {
    this.#options.onFailure?.(place, error)
  }

  /**
   * Do something with an artifact at the first place where that succeeds.
   *
   * Errors: SEGMENT_MISSING (no place has such a thing), FILE_NO_SPACE, else what the last place failed with.
   */
  async first<T>(
    wanted: WantedArtifact,
    attempt: (location: PlacedLocation) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    let last: { readonly place: string; readonly error: ReleaseError } | undefined
    for (const mirror of this.#options.mirrors) {
      const locations = this.objection(mirror) === undefined ? this.#locateAt(mirror, wanted) : []
      // That something is not at one of several names is told of none of them.
      if (locations.length > 0 && last !== undefined) this.tell(last.place, last.error)
      for (const location of locations) {
        try {
          return await attempt(location)
        } catch (caught) {
          if (signal?.aborted || !(caught instanceof ReleaseError) || caught.code === 'FILE_NO_SPACE') throw caught
          last = { place: location.name, error: caught }
          this.note(mirror, caught)
          if (this.objection(mirror) !== undefined) break
        }
      }
    }
    throw last?.error ?? missingEverywhere(wanted)
  }

  #locateAt(mirror: Mirror, wanted: WantedArtifact): readonly PlacedLocation[] {
    const isLast = mirror === this.#options.mirrors.at(-1)
    return mirror.locate(wanted).map(location => ({
      ...location,
      mirror,
      wanted,
      attempts: location.isLocal ? 1 : isLast ? longestAttempts : mirrorAttempts,
      open: options => this.#open(location, options),
    }))
  }

  async #open(location: Location, options: OpenOptions): Promise<Opened> {
    const { pace, bandwidth } = this.#options
    const opened = await location.open({ ...(pace === undefined ? {} : { pace }), ...options })
    if (opened === undefined) return undefined
    const counted = this.#counted(opened.body)
    const isLimited = bandwidth !== undefined && !location.isLocal
    return { ...opened, body: isLimited ? bandwidth.limit(counted, options.signal) : counted }
  }

  #counted(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const pieces = body[Symbol.asyncIterator]()
    const next = async () => {
      const result = await pieces.next()
      if (result.done !== true) this.fetchedBytes += result.value.byteLength
      return result
    }
    const end = async () => (await pieces.return?.()) ?? { done: true as const, value: undefined }
    return { [Symbol.asyncIterator]: () => ({ next, return: end }) }
  }
}

/** Tell whether an error says that a place sends what it should not. */
export function isLie({ code }: ReleaseError): boolean {
  return code === 'SEGMENT_DIGEST' || code === 'REGISTRY_DIGEST' || code === 'HTTP_TOO_LARGE'
}

function isHopeless(error: ReleaseError): boolean {
  const isOutOfReach = error.code === 'HTTP_FAILED' && error.details['status'] === undefined
  return isLie(error) || isOutOfReach || error.code === 'HTTP_SLOW' || error.code === 'PROXY_INVALID'
}

function missingEverywhere({ record, artifact }: WantedArtifact): ReleaseError {
  const { name, version } = record
  return new ReleaseError('SEGMENT_MISSING', `no place has ${artifact.name} of ${name} ${version}`, {
    details: { name: artifact.name, version },
  })
}
