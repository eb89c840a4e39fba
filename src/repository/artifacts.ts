import type { Artifact, ReleaseRecord } from '../payload/release-record.ts'

/** An artifact of one kind. */
export type ArtifactOf<Kind extends Artifact['kind']> = Extract<Artifact, { readonly kind: Kind }>

/** The artifacts of a release that are of one kind. */
export function artifactsOf<Kind extends Artifact['kind']>(record: ReleaseRecord, kind: Kind): ArtifactOf<Kind>[] {
  return record.components
    .flatMap(component => component.artifacts)
    .filter((artifact): artifact is ArtifactOf<Kind> => artifact.kind === kind)
}

/** The one spelling of a Python project's name. Source: PEP 503. */
export function normalizedProject(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase()
}
