import semverSatisfies from 'semver/functions/satisfies.js'

/** Tell whether an interpreter's version satisfies a recipe's range, such as `>=24.15`. */
export function satisfies(version: string, range: string): boolean {
  return semverSatisfies(version, range, { includePrerelease: true })
}
