import path from 'node:path'

const byExtension: Readonly<Record<string, string>> = {
  '.asc': 'application/pgp-keys',
  '.deb': 'application/vnd.debian.binary-package',
  '.gpg': 'application/pgp-signature',
  '.gz': 'application/gzip',
  '.html': 'text/html; charset=utf-8',
  '.json': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.sources': 'text/plain; charset=utf-8',
  '.tar': 'application/x-tar',
  '.txt': 'text/plain; charset=utf-8',
  '.whl': 'application/zip',
  '.zip': 'application/zip',
  '.zst': 'application/zstd',
}

const byName: Readonly<Record<string, string>> = {
  InRelease: 'text/plain; charset=utf-8',
  Release: 'text/plain; charset=utf-8',
  Packages: 'text/plain; charset=utf-8',
  'oci-layout': 'application/json',
}

/** Name the media type of a file by its name. */
export function contentTypeOf(file: string): string {
  return byName[path.basename(file)] ?? byExtension[path.extname(file)] ?? 'application/octet-stream'
}
