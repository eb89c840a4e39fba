import { type Digest, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'

/** The configuration of an image that others made, as far as an image on top of it inherits or checks it. */
export interface StoredConfig {
  readonly architecture: string
  readonly os: string
  readonly variant?: string
  readonly osVersion?: string
  readonly osFeatures?: readonly string[]
  readonly environment: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly cmd?: readonly string[]
  readonly user?: string
  readonly ports: readonly string[]
  readonly volumes: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly stopSignal?: string
  /** Docker's extensions, handed on as they are. */
  readonly healthcheck?: object
  readonly shell?: readonly string[]
  readonly diffIds: readonly Digest[]
  readonly history: readonly StoredHistory[]
}

/** What made a layer, or changed the configuration alone. Kept as it is. */
export type StoredHistory = Readonly<Record<string, unknown>> & { readonly empty_layer?: unknown }

/** No registry takes a longer one: they are read whole by every client. */
const mostLayers = 1000

/**
 * Read the configuration of an image.
 *
 * Errors: IMAGE_INVALID, IMAGE_UNSUPPORTED (`ONBUILD`, which only a builder with a shell could run).
 * Source: OCI image-spec config.md; Docker image spec v1.2 (Healthcheck, OnBuild, Shell).
 */
export function parseStoredConfig(bytes: Buffer, place: string): StoredConfig {
  const image = new Members(parseJson(bytes, place), place)
  const run = image.member('config')
  if (run.texts('OnBuild').length > 0) {
    throw new ReleaseError('IMAGE_UNSUPPORTED', `${place} has ONBUILD instructions, which are for Dockerfiles`, {
      hint: 'take an image without them as base',
      details: { place },
    })
  }
  const rootfs = image.member('rootfs')
  const diffIds = rootfs.texts('diff_ids')
  if (!diffIds.every(isDigest) || diffIds.length > mostLayers) throw rootfs.error('has a wrong list of diff_ids')
  return {
    architecture: image.text('architecture') ?? '',
    os: image.text('os') ?? '',
    ...optional('variant', image.text('variant')),
    ...optional('osVersion', image.text('os.version')),
    ...optional('osFeatures', image.optionalTexts('os.features')),
    environment: run.texts('Env').filter(text => text.indexOf('=') > 0),
    ...optional('entrypoint', run.optionalTexts('Entrypoint')),
    ...optional('cmd', run.optionalTexts('Cmd')),
    ...optional('user', run.text('User')),
    ports: run.names('ExposedPorts'),
    volumes: run.names('Volumes'),
    labels: run.map('Labels'),
    ...optional('stopSignal', run.text('StopSignal')),
    ...optional('healthcheck', run.object('Healthcheck')),
    ...optional('shell', run.optionalTexts('Shell')),
    diffIds,
    history: image.objects('history'),
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V }
}

/** The members of a JSON object as Go writes them: what is null, empty or missing is all the same. */
class Members {
  readonly #members: Readonly<Record<string, unknown>>
  readonly #place: string

  constructor(value: unknown, place: string) {
    this.#place = place
    if (!isObject(value)) throw this.error('is not an object')
    this.#members = value as Readonly<Record<string, unknown>>
  }

  text(name: string): string | undefined {
    const value = this.#members[name] ?? ''
    if (typeof value !== 'string') throw this.error(`has something else than text as ${name}`)
    return value === '' ? undefined : value
  }

  texts(name: string): readonly string[] {
    const value = this.#members[name] ?? []
    if (!Array.isArray(value) || !value.every(each => typeof each === 'string')) {
      throw this.error(`has something else than a list of texts as ${name}`)
    }
    return value
  }

  optionalTexts(name: string): readonly string[] | undefined {
    const texts = this.texts(name)
    return texts.length === 0 ? undefined : texts
  }

  object(name: string): object | undefined {
    const value = this.#members[name] ?? undefined
    if (value === undefined) return undefined
    if (!isObject(value)) throw this.error(`has something else than an object as ${name}`)
    return value
  }

  member(name: string): Members {
    return new Members(this.object(name) ?? {}, `${this.#place} (${name})`)
  }

  names(name: string): readonly string[] {
    return Object.keys(this.object(name) ?? {})
  }

  map(name: string): Readonly<Record<string, string>> {
    const object = this.object(name) ?? {}
    if (Object.values(object).every(each => typeof each === 'string')) return object as Record<string, string>
    throw this.error(`has something else than texts in ${name}`)
  }

  objects(name: string): readonly StoredHistory[] {
    const value = this.#members[name] ?? []
    if (Array.isArray(value) && value.every(isObject)) return value as StoredHistory[]
    throw this.error(`has something else than a list of objects as ${name}`)
  }

  error(problem: string): ReleaseError {
    return new ReleaseError('IMAGE_INVALID', `${this.#place} ${problem}`, { details: { place: this.#place } })
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseJson(bytes: Buffer, place: string): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (caught) {
    throw new ReleaseError('IMAGE_INVALID', `${place} is not JSON`, { cause: caught, details: { place } })
  }
}
