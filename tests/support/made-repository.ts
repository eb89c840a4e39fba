import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { initRepository, type RepositoryInitResult } from '../../src/flow/repository-init.ts'
import { upload } from '../../src/flow/upload.ts'
import type { UploadResult } from '../../src/flow/upload-report.ts'
import type { MadeRelease } from './made-release.ts'
import { makeRelease } from './made-release.ts'
import { type RecordedTools, recordedTools } from './recorded-tools.ts'

/** A vendor repository in a folder of a test, made by the real flows. */
export interface MadeRepository {
  readonly folder: string
  readonly url: string
  readonly keys: string
  readonly distFolder: string
  readonly fingerprint: string
  /** Make a release by hand and upload it; without a tag, so that no clone is needed. */
  readonly publish: (made: Omit<MadeRelease, 'distFolder'>, tools?: RecordedTools) => Promise<UploadResult>
  /** Upload what is in `dist`. */
  readonly upload: (version: string, tools?: RecordedTools) => Promise<UploadResult>
}

/** Make a repository below `base`. Post: `base` has `repository/`, `keys/` and `dist/`. */
export async function makeRepository(
  base: string,
  options: { readonly applications?: readonly string[]; readonly tools?: RecordedTools; readonly name?: string } = {},
): Promise<MadeRepository> {
  const folder = path.join(base, 'repository')
  const keys = path.join(base, 'keys')
  fs.mkdirSync(base, { recursive: true })
  const common = { cwd: base, environment: { PATH: process.env['PATH'] }, repository: folder, keys }
  const tools = options.tools ?? recordedTools()
  const applications = options.applications ?? ['notes']
  await initRepository({ ...common, name: options.name ?? 'vendor', applications }, tools)
  return repositoryIn(base, tools.result<RepositoryInitResult>().fingerprint)
}

/** A repository that is below `base` already. */
export function repositoryIn(base: string, fingerprint: string): MadeRepository {
  const folder = path.join(base, 'repository')
  const keys = path.join(base, 'keys')
  const distFolder = path.join(base, 'dist')
  const common = { cwd: base, environment: { PATH: process.env['PATH'] }, repository: folder, keys }
  const uploadVersion = async (version: string, uploadTools = recordedTools()) => {
    await upload({ ...common, version, distFolder, remote: 'origin', planOnly: false }, uploadTools)
    return uploadTools.result<UploadResult>()
  }
  return {
    folder,
    url: pathToFileURL(folder).href,
    keys,
    distFolder,
    fingerprint,
    publish: (made, publishTools) => {
      makeRelease({ distFolder, ...made })
      return uploadVersion(made.version, publishTools)
    },
    upload: uploadVersion,
  }
}
