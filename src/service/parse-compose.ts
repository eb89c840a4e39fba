import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { Mount } from './driver.ts'

/** What a compose file says of one service. Paths absolute. */
export interface ComposeService {
  readonly image: string | undefined
  /** What the image's entry point gets. */
  readonly command: readonly string[] | undefined
  readonly environment: Readonly<Record<string, string>>
  readonly mounts: readonly Mount[]
  readonly workingDirectory: string | undefined
}

/** What a compose file is read with. Paths absolute. */
export interface ComposeContext {
  /** The file, for errors. */
  readonly place: string
  readonly service: string
  /** The services that the recipe runs. */
  readonly services: readonly string[]
  /** Fill in `${NAME}`. Errors: RECIPE_PLACEHOLDER. */
  readonly fill: (text: string) => string
  /** The folder of the file, in the release. */
  readonly folder: string
  readonly releaseFolder: string
  readonly sharedFolder: string
  /** Read a file; undefined when there is none. */
  readonly read: (file: string) => string | undefined
}

const topKeys = ['version', 'name', 'services', 'secrets'] as const
const serviceKeys = ['image', 'command', 'environment', 'env_file', 'volumes', 'secrets', 'working_dir'] as const

/**
 * Read one service of a compose file.
 *
 * Shape: of a service `image`, `command` (a list), `environment`, `env_file`, `volumes` (short form, from the release or `${shared}`),
 * `secrets` (by name, each a file at the top level) and `working_dir`; at the top level `version` and `name`, which say nothing, and
 * `services` and `secrets`. What else a recipe says of a service, such as its user, limits and order, it says in `node.services`.
 * Errors: COMPOSE_INVALID for anything else, RECIPE_PLACEHOLDER. Source: Compose Specification, 05-services.md and 09-secrets.md.
 */
export function parseComposeService(document: unknown, context: ComposeContext): ComposeService {
  const fail = (where: string, problem: string) => composeError(context, where, problem)
  const top = readMap(document, 'the file', fail)
  assertKeys(top, topKeys, 'the file', fail)
  const services = readMap(top['services'], 'services', fail)
  const forgotten = Object.keys(services).find(name => !context.services.includes(name))
  if (forgotten !== undefined)
    throw fail(`services.${forgotten}`, 'is no service of the recipe, so nothing would run it')
  const where = `services.${context.service}`
  const service = readMap(services[context.service], where, fail)
  assertKeys(service, serviceKeys, where, fail)
  const reader = new ComposeReader(context, where)
  return {
    image: reader.text(service['image'], 'image'),
    command: service['command'] === undefined ? undefined : reader.texts(service['command'], 'command'),
    environment: { ...reader.environmentFiles(service['env_file']), ...reader.environment(service['environment']) },
    mounts: [
      ...reader.texts(service['volumes'] ?? [], 'volumes').map(text => reader.mount(text)),
      ...reader.secrets(service['secrets'] ?? [], top['secrets']),
    ],
    workingDirectory: reader.text(service['working_dir'], 'working_dir'),
  }
}

type Fail = (where: string, problem: string) => ReleaseError
type Members = Readonly<Record<string, unknown>>

/** Reads the values of one service. */
class ComposeReader {
  readonly #context: ComposeContext
  readonly #where: string

  constructor(context: ComposeContext, where: string) {
    this.#context = context
    this.#where = where
  }

  text(value: unknown, key: string): string | undefined {
    if (value === undefined) return undefined
    if (typeof value === 'string') return this.#context.fill(value)
    throw this.#error(key, 'is no text')
  }

  texts(value: unknown, key: string): readonly string[] {
    if (!Array.isArray(value)) throw this.#error(key, 'is no list')
    return value.map(item => {
      if (typeof item === 'string') return this.#context.fill(item)
      throw this.#error(key, 'holds something that is no text')
    })
  }

  environment(value: unknown): Readonly<Record<string, string>> {
    if (value === undefined) return {}
    if (Array.isArray(value)) return this.#variables(this.texts(value, 'environment'), 'environment')
    const map = readMap(value, `${this.#where}.environment`, (where, problem) => this.#error(where, problem))
    return Object.fromEntries(
      Object.entries(map).map(([name, text]) => {
        if (typeof text === 'string') return [name, this.#context.fill(text)]
        if (typeof text === 'number' || typeof text === 'boolean') return [name, String(text)]
        throw this.#error(`environment.${name}`, 'has no value')
      }),
    )
  }

  /** Source: 05-services.md, env_file format: `NAME=VALUE` lines, `#` comments; values are taken as they are. */
  environmentFiles(value: unknown): Readonly<Record<string, string>> {
    if (value === undefined) return {}
    const files = typeof value === 'string' ? [this.#context.fill(value)] : this.texts(value, 'env_file')
    const lines = files.flatMap(file => this.#content(file, 'env_file').split('\n'))
    return this.#variables(
      lines.filter(line => line.trim() !== '' && !line.startsWith('#')),
      'env_file',
    )
  }

  mount(text: string): Mount {
    const [source = '', to = '', mode, ...rest] = text.split(':')
    if (!to.startsWith('/') || rest.length > 0 || ![undefined, 'ro', 'rw'].includes(mode))
      throw this.#error('volumes', `holds ${text}, expected SOURCE:TARGET or SOURCE:TARGET:ro`)
    const from = this.#inside(source, 'volumes')
    // What is signed stays as it is.
    const readOnly = mode === 'ro' || isBelow(from, this.#context.releaseFolder)
    return { from, to, readOnly }
  }

  secrets(value: unknown, definitions: unknown): readonly Mount[] {
    const fail: Fail = (where, problem) => composeError(this.#context, where, problem)
    return this.texts(value, 'secrets').map(name => {
      const secret = readMap(readMap(definitions, 'secrets', fail)[name], `secrets.${name}`, fail)
      assertKeys(secret, ['file'], `secrets.${name}`, fail)
      if (!/^[\w-]+$/.test(name) || typeof secret['file'] !== 'string')
        throw fail(`secrets.${name}`, 'is no name of a file with `file`')
      const from = this.#inside(this.#context.fill(secret['file']), 'secrets')
      return { from, to: `/run/secrets/${name}`, readOnly: true }
    })
  }

  #variables(lines: readonly string[], key: string): Readonly<Record<string, string>> {
    return Object.fromEntries(
      lines.map(line => {
        const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(line)
        if (match === null) throw this.#error(key, 'holds a line that is not NAME=VALUE')
        return [match[1]!, match[2]!]
      }),
    )
  }

  #content(file: string, key: string): string {
    const place = this.#inside(file, key)
    const text = this.#context.read(place)
    if (text !== undefined) return text
    throw this.#error(key, `names ${place}, which does not exist`)
  }

  /** A release gets nothing of the machine but itself and what is kept for it. */
  #inside(file: string, key: string): string {
    const { folder, releaseFolder, sharedFolder } = this.#context
    const place = path.resolve(folder, file)
    if (isBelow(place, releaseFolder) || isBelow(place, sharedFolder)) return place
    throw this.#error(key, `names ${place}, which is neither in the release nor in \${shared}`)
  }

  #error(key: string, problem: string): ReleaseError {
    return composeError(this.#context, `${this.#where}.${key}`, problem)
  }
}

function isBelow(place: string, folder: string): boolean {
  return place === folder || place.startsWith(`${folder}/`)
}

function readMap(value: unknown, where: string, fail: Fail): Members {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Members
  throw fail(where, 'is no map')
}

function assertKeys(map: Members, known: readonly string[], where: string, fail: Fail): void {
  const unknown = Object.keys(map).find(key => !known.includes(key))
  if (unknown !== undefined) throw fail(`${where}.${unknown}`, `is not understood; understood are ${known.join(', ')}`)
}

function composeError({ place }: ComposeContext, where: string, problem: string): ReleaseError {
  return new ReleaseError('COMPOSE_INVALID', `${place}: ${where} ${problem}`, { details: { path: place, key: where } })
}
