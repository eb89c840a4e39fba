import type { Component } from '@cyclonedx/cyclonedx-library/Models'

/** A package that is in a payload. Its component's dependencies are components that were found beside it. */
export interface FoundPackage {
  readonly component: Component
  /** The folder that is its own, with all below it but the folders of other packages. */
  readonly folder?: string
  /** Files elsewhere that it says are its own. */
  readonly files?: readonly string[]
  /** The file that it is, when it is not unpacked. */
  readonly archive?: string
}

/** What a finder found. `wanted` is what the application itself asks for. */
export interface Findings {
  readonly packages: readonly FoundPackage[]
  readonly wanted: readonly Component[]
}

/** The reference of a package in its bill of materials: where it is in the payload. */
export function refOf({ component }: FoundPackage): string {
  return component.bomRef.value ?? ''
}
