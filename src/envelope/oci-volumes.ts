import { type TarEntry, tarBlockBytes, tarEndBytes, tarHeaderBytes, writeTarHeader } from '../payload/tar.ts'

/**
 * Make the tar of a layer in which the folders of volumes belong to the user that the image runs as; undefined when that needs none.
 *
 * Runtimes give a new volume the owner of the folder that it is put on, and without one it is root's, which an unprivileged user cannot
 * write to. The folders above are left to the base: an entry here would replace a link there.
 * Shape: one folder for each volume, mode 0750. Source: OCI image-spec layer.md; Dockerfile reference, VOLUME.
 */
export function volumesTar(volumes: readonly string[], user: string, mtimeSeconds: number): Buffer | undefined {
  const [, uid, gid = '0'] = /^(\d+)(?::(\d+))?$/.exec(user) ?? []
  // Whom a name stands for, only the base knows; it has folders for it, too.
  if (uid === undefined || Number(uid) === 0 || volumes.length === 0) return undefined
  const entries = [...new Set(volumes)].sort().map(volume => {
    const entry: TarEntry = { type: 'directory', name: `.${volume}/`, mode: 0o750 }
    const header = Buffer.alloc(tarHeaderBytes(entry))
    writeTarHeader(header, 0, entry, mtimeSeconds)
    setOwner(header.subarray(-tarBlockBytes), Number(uid), Number(gid))
    return header
  })
  return Buffer.concat([...entries, Buffer.alloc(tarEndBytes)])
}

/** Source: GNU tar manual "Basic Tar Format": seven octal digits, or base 256 after a first byte of 0x80; the sum of all bytes. */
function setOwner(header: Buffer, uid: number, gid: number): void {
  for (const [at, id] of [
    [108, uid],
    [116, gid],
  ] as const) {
    if (id < 8 ** 7) {
      header.write(`${id.toString(8).padStart(7, '0')}\0`, at, 'latin1')
    } else {
      header.fill(0, at, at + 8)
      header[at] = 0x80
      header.writeUInt32BE(id, at + 4)
    }
  }
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
}
