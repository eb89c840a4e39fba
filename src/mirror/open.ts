import { addressLocation } from './address.ts'
import { copyMirror } from './copy.ts'
import type { Mirror } from './mirror.ts'
import type { Place } from './place.ts'
import type { MirrorTools } from './registry.ts'

/** Open a place for reading. Nothing is asked yet, and what a kind of place needs is loaded with its first request. Errors: MIRROR_INVALID. */
export async function openMirror(place: Place, tools: MirrorTools): Promise<Mirror> {
  switch (place.kind) {
    case 'copy':
      return copyMirror(place.name, key => addressLocation(place.url, key))
    case 's3':
      return (await import('./s3.ts')).s3Mirror(place, tools.environment)
    case 'registry':
      return (await import('./registry.ts')).registryMirror(place, tools)
    case 'apt':
      return (await import('./apt.ts')).aptMirror(place.name, place.url)
    case 'github':
      return (await import('./github.ts')).githubMirror(place, tools.environment)
  }
}
