/**
 * Say how GitHub calls an asset: runs of what is not a letter, digit, `_`, `-`, `+` or `.` become one `.`, and none stands at either end.
 *
 * Sent in this form nothing is renamed, so that every asset is found again by its name.
 * Source: docs.github.com, "Upload a release asset" (renaming); a `+` is kept as long as it is percent-encoded.
 */
export function assetName(label: string): string {
  return label.replace(/[.]*[^A-Za-z0-9_+.-]+[.]*/g, '.').replace(/^\.+|\.+$/g, '')
}
