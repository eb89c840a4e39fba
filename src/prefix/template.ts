import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { readFile } from '../sys/files.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'

/** Which file of a release is asked for. */
export interface TemplateRequest {
  readonly paths: PrefixPaths
  readonly version: string
  readonly environment: string
  /** Its path below the release. */
  readonly template: string
}

/**
 * Read a file of a release for an environment: the one below `environments/NAME/`, else the one that all environments have in common.
 *
 * Errors: FILE_IO when there is neither, RELEASE_CHANGED when it is a link that leads out of the release: we may read what others may not.
 */
export function readTemplate(request: TemplateRequest): string {
  return readOverlaid(request).toString()
}

/** Read a file of a release for an environment as bytes; see {@link readTemplate}. */
export function readOverlaid({ paths, version, environment, template }: TemplateRequest): Buffer {
  const { root } = releasePaths(paths, version)
  const overlay = path.join(root, 'environments', environment, template)
  const file = realPath(overlay) ?? realPath(path.join(root, template)) ?? path.join(root, template)
  const top = realPath(root) ?? root
  if (file.startsWith(`${top}/`)) return readFile(file)
  throw new ReleaseError('RELEASE_CHANGED', `${template} of ${version} leads to ${file}, out of the release`, {
    hint: 'a template must be a file of the payload: correct the recipe and cut a new version',
    details: { path: template, version, found: file },
  })
}

function realPath(file: string): string | undefined {
  try {
    return fs.realpathSync(file)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return undefined
    throw isErrno(caught) ? toReleaseError(caught) : caught
  }
}
