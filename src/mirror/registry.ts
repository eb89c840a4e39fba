import type { RegistryClient } from '../registry/client.ts'
import type { Environment } from '../registry/credentials.ts'
import { delay, systemClock } from '../sys/clock.ts'
import type { Opened, OpenOptions } from '../sys/http.ts'
import type { Location, Mirror, WantedArtifact } from './mirror.ts'
import type { Place } from './place.ts'

type RegistryPlace = Place & { readonly kind: 'registry' }

/** What a mirror that speaks a protocol of its own works with. */
export interface MirrorTools {
  /** Where credentials are looked for. */
  readonly environment: Environment
  readonly warn: (code: string, message: string) => void
  readonly signal: AbortSignal
}

/**
 * A registry of images: the tarball of a component is the layer of its image, and what is said of the image is a blob beside it.
 *
 * Blobs are asked for by the digests of the record, so that neither tags nor manifests have to be believed.
 */
export function registryMirror(place: RegistryPlace, tools: MirrorTools): Mirror {
  const clients = new Clients(place, tools)
  return {
    name: place.name,
    locate: wanted => (isBlob(wanted) ? [blobLocation(place, clients, wanted)] : []),
  }
}

/** Tell whether an artifact is among the blobs of its component's images. */
function isBlob({ artifact, component, record }: WantedArtifact): boolean {
  const siblings = record.components.find(({ name }) => name === component)?.artifacts ?? []
  return siblings.some(
    sibling => sibling.kind === 'oci' && sibling.blobs.some(({ digest }) => digest === artifact.digest),
  )
}

function blobLocation(place: RegistryPlace, clients: Clients, { artifact, component }: WantedArtifact): Location {
  const { digest } = artifact
  const name = `${place.name}/${component}@${digest}`
  const open = async ({ range, headers, ...waits }: OpenOptions): Promise<Opened> => {
    const { openedAnswer, rangeHeader } = await import('../sys/get.ts')
    const client = await clients.of(component)
    const answer = await client.send({
      method: 'GET',
      to: `blobs/${digest}`,
      what: `get blob ${digest}`,
      expect: [200, 206, 404],
      headers: { ...headers, ...(range === undefined ? {} : { range: rangeHeader(range) }) },
      // Who reads it tries again, from where it stopped.
      attempts: 1,
      waits,
    })
    return await openedAnswer(answer, { place: name, range })
  }
  return { name, isLocal: false, open }
}

/** The connections to the repositories of a registry, each with the tokens that it was given. */
class Clients {
  readonly #place: RegistryPlace
  readonly #tools: MirrorTools
  readonly #opened = new Map<string, Promise<RegistryClient>>()

  constructor(place: RegistryPlace, tools: MirrorTools) {
    this.#place = place
    this.#tools = tools
  }

  /** Errors: HTTP_FAILED, REGISTRY_CREDENTIALS. */
  async of(component: string): Promise<RegistryClient> {
    const opened = this.#opened.get(component) ?? this.#open(component)
    this.#opened.set(component, opened)
    try {
      return await opened
    } catch (caught) {
      this.#opened.delete(component)
      throw caught
    }
  }

  async #open(component: string): Promise<RegistryClient> {
    const { openClient } = await import('../registry/client.ts')
    const { registry, namespace } = this.#place
    const { environment, warn, signal } = this.#tools
    return await openClient(
      { name: { registry, repository: `${namespace}/${component}` }, actions: 'pull', plainHttp: false, environment },
      { clock: systemClock, wait: delay, random: Math.random, warn, signal },
    )
  }
}
