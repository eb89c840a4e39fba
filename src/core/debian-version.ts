/**
 * Tell whether a text is a version that dpkg accepts: `[epoch:]upstream[-revision]`.
 *
 * Source: deb-version(7); dpkg lib/dpkg/parsehelp.c (an epoch is an int, the upstream part begins with a digit).
 */
export function isDebianVersion(text: string): boolean {
  const [, epoch, rest = ''] = /^(?:(\d+):)?(.*)$/s.exec(text) ?? []
  if (epoch !== undefined && Number(epoch) > 0x7fff_ffff) return false
  return /^\d[A-Za-z0-9.+~:-]*$/.test(rest) && !rest.endsWith('-') && (epoch !== undefined || !rest.includes(':'))
}
