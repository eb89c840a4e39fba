/**
 * One thing to be packed. `path` is where it goes, relative to the payload's root; `source` is the absolute path of its content.
 *
 * Shape: in tar order, that is folders before their content, entries in byte order of their paths, all symlinks last. Modes are normalised.
 */
export type TreeEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | {
      readonly type: 'file'
      readonly path: string
      readonly mode: number
      readonly sizeBytes: number
      readonly source: string
    }
  | { readonly type: 'symlink'; readonly path: string; readonly linkTarget: string }

/** A tree with the path that it has on a file system, such as `opt/notes`. */
export interface Tree {
  readonly root: string
  readonly entries: readonly TreeEntry[]
}
