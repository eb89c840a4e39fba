import type { OpenOptions } from '../sys/http.ts'
import type { Mirror, WantedArtifact } from './mirror.ts'

/** Enough to tell a fast line from a slow one, little enough to be thrown away. */
const probeBytes = 16 * 1024

/** How long mirrors are waited for. Units: milliseconds. */
export interface ProbeLimits {
  /** In all, when none answers. */
  readonly mostMs: number
  /** After the first answer: as often the time that it took. */
  readonly factor: number
}

const usualLimits: ProbeLimits = { mostMs: 2000, factor: 3 }

/**
 * Put mirrors in the order in which they answer, all asked at once for the beginning of something that is needed anyway.
 *
 * Pre: `wanted` has what is most likely everywhere first. Post: those that did not answer in time stay in their order, behind the others.
 */
export async function fastestFirst(
  mirrors: readonly Mirror[],
  wanted: readonly WantedArtifact[],
  { signal, limits = usualLimits }: { readonly signal: AbortSignal; readonly limits?: ProbeLimits },
): Promise<readonly Mirror[]> {
  const stop = new AbortController()
  const startedMs = performance.now()
  let timer = setTimeout(() => stop.abort(), limits.mostMs)
  const answered: Mirror[] = []
  const probe = async (mirror: Mirror): Promise<void> => {
    if (!(await answers(mirror, wanted, AbortSignal.any([signal, stop.signal])))) return
    answered.push(mirror)
    if (answered.length > 1) return
    clearTimeout(timer)
    timer = setTimeout(() => stop.abort(), Math.min(limits.mostMs, (performance.now() - startedMs) * limits.factor))
  }
  await Promise.all(mirrors.map(probe))
  clearTimeout(timer)
  signal.throwIfAborted()
  return [...answered, ...mirrors.filter(mirror => !answered.includes(mirror))]
}

/** Read the beginning of the first thing that a place has. Whatever fails here is told when it is needed. */
async function answers(mirror: Mirror, wanted: readonly WantedArtifact[], signal: AbortSignal): Promise<boolean> {
  const artifact = wanted.find(each => mirror.locate(each).length > 0)
  const [location] = artifact === undefined ? [] : mirror.locate(artifact)
  if (location === undefined) return false
  const options: OpenOptions = { range: { start: 0, end: Math.min(probeBytes, artifact!.artifact.sizeBytes) }, signal }
  try {
    const opened = await location.open(options)
    if (opened === undefined) return false
    let sizeBytes = 0
    for await (const piece of opened.body) {
      sizeBytes += piece.byteLength
      // A server without ranges sends on.
      if (sizeBytes >= options.range!.end) break
    }
    return sizeBytes > 0
  } catch {
    return false
  }
}
