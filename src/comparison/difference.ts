/**
 * A place where a release that was built again is not what was released.
 *
 * Shape: texts for people; `why` is empty when no reason is known. `where` is a path, a field or a byte within the artifact.
 */
export interface Difference {
  readonly where: string
  readonly released: string
  readonly rebuilt: string
  readonly why: string
  /** The artifact whose own difference this one follows from. */
  readonly cause?: string
}

/** Values that differ because something else does, by what was released: no news, but to be told as what it is. */
export type Consequences = ReadonlyMap<string, { readonly rebuilt: string; readonly cause: string }>

/** The same thing of both releases. */
export interface Pair<T> {
  readonly released: T
  readonly rebuilt: T
}

/** What is known of the build that was made now: values that only it could write into a file. */
export interface BuildFacts {
  /** Absolute: the temporary folders of the build. */
  readonly folders: readonly string[]
  /** The name of this machine. */
  readonly machine: string
  /** Wall-clock time, seconds since 1970. */
  readonly nowSeconds: number
}

/** What every comparison may need besides the two things. */
export interface ComparisonContext {
  readonly facts: BuildFacts
  readonly consequences: Consequences
}

/** The first differences of something, and how many there are in all. */
export interface Differences {
  readonly shown: readonly Difference[]
  readonly count: number
}

/** How many differences of one artifact are looked into and shown. */
export const shownDifferences = 20

/** Keep the first differences; all that follow from other artifacts are one, for those are told by themselves. */
export function firstOf(differences: readonly Difference[]): Differences {
  const own = differences.filter(({ cause }) => cause === undefined)
  const told = [...own, ...merged(differences.filter(({ cause }) => cause !== undefined))]
  return { shown: told.slice(0, shownDifferences), count: told.length }
}

/** Say that something follows from an artifact that differs itself. */
export function followsFrom(cause: string): Required<Pick<Difference, 'why' | 'cause'>> {
  return { why: `follows from ${cause}`, cause }
}

function merged([first, ...others]: readonly Difference[]): readonly Difference[] {
  if (first === undefined) return []
  if (others.length === 0) return [first]
  const causes = new Set([first, ...others].map(({ cause }) => cause))
  const more = causes.size === 1 ? '' : ` and ${causes.size - 1} more`
  const where = `${first.where} and ${others.length} more`
  return [{ ...first, where, released: '', rebuilt: '', why: `${first.why}${more}` }]
}
