import { ReleaseError } from '../core/error.ts'
import type { LayerEntry } from './oci-layer.ts'

/** Where the names of users and groups stand in an image. */
export const accountFiles = { user: 'etc/passwd', group: 'etc/group' } as const

/**
 * Make sure that the user and group that an image runs as are in it, unless they are given by number.
 *
 * Errors: IMAGE_USER. Source: OCI image-spec config.md, `User`; passwd(5), group(5).
 */
export function assertAccounts(user: string, files: ReadonlyMap<string, LayerEntry>, place: string): void {
  const [name = '', ...group] = user.split(':')
  assertAccount('user', name, { files, place })
  if (group.length > 0) assertAccount('group', group.join(':'), { files, place })
}

function assertAccount(
  kind: keyof typeof accountFiles,
  name: string,
  { files, place }: { readonly files: ReadonlyMap<string, LayerEntry>; readonly place: string },
): void {
  if (/^\d+$/.test(name)) return
  const file = files.get(accountFiles[kind])
  const lines = file?.kind === 'file' ? file.bytes.toString('utf8').split('\n') : []
  const names = lines.map(line => line.slice(0, line.indexOf(':'))).filter(each => each !== '')
  if (names.includes(name)) return
  const known = names.length === 0 ? 'names nobody' : `names ${names.slice(0, 40).join(', ')}`
  throw new ReleaseError('IMAGE_USER', `${place} runs as the ${kind} ${name}; its /${accountFiles[kind]} ${known}`, {
    details: { path: place, [kind]: name },
  })
}
