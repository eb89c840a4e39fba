import path from 'node:path'

/** Media types by the end of a file's name. */
export const typesByExtension: Readonly<Record<string, string>> = {
  '.asc': 'application/pgp-keys',
  '.css': 'text/css; charset=utf-8',
  '.deb': 'application/vnd.debian.binary-package',
  '.gpg': 'application/pgp-signature',
  '.gz': 'application/gzip',
  '.html': 'text/html; charset=utf-8',
  '.json': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.png': 'image/png',
  '.sources': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.tar': 'application/x-tar',
  '.txt': 'text/plain; charset=utf-8',
  '.whl': 'application/zip',
  '.xz': 'application/x-xz',
  '.zip': 'application/zip',
  '.zst': 'application/zstd',
}

/** Media types of files whose names have no end. */
export const typesByName: Readonly<Record<string, string>> = {
  InRelease: 'text/plain; charset=utf-8',
  Release: 'text/plain; charset=utf-8',
  Packages: 'text/plain; charset=utf-8',
}

/** Name the media type of a file by its name. */
export function contentTypeOf(file: string): string {
  return typesByName[path.basename(file)] ?? typesByExtension[path.extname(file)] ?? 'application/octet-stream'
}
