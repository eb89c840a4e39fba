import type { Recipe, RecipeDeb, RecipeImage, RecipePayload } from './schema.ts'

/** A part of a release that has a payload of its own, as the recipe describes it. */
export interface RecipeComponent {
  readonly name: string
  readonly summary: string
  readonly description?: string | undefined
  readonly payload: RecipePayload
  readonly deb?: RecipeDeb | undefined
  readonly oci?: RecipeImage | undefined
  /** The component that is installed into prefixes and runs the services: the first. */
  readonly isApplication: boolean
}

/** List the components of a release: the application itself, then what the recipe names besides. */
export function componentsOf(recipe: Recipe): readonly RecipeComponent[] {
  const { name, summary, description, payload, artifacts, components } = recipe
  const { deb, oci } = artifacts
  const application = { name, summary, description, payload, deb, oci, isApplication: true }
  return [application, ...components.map(component => ({ ...component, isApplication: false }))]
}
