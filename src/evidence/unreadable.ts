/** Something in a payload that claims to describe a package and does not. It is told, and costs the release nothing. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable'
}

/** A file of a payload that was passed over, and why. The reason is ours: it holds nothing of the file. */
export interface Problem {
  readonly path: string
  readonly reason: string
}
