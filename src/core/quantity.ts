const factors = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Read a duration such as `250ms`, `25s`, `10m`, `2h` or `1d` into milliseconds; undefined when it is not one. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text)
  if (match === null) return undefined
  return Math.round(Number(match[1]) * factors[match[2] as keyof typeof factors])
}

/** Write a duration for people: `840 ms`, `2.4 s`, `3 m 05 s`, `2 h 30 m`, `12 d 4 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`
  if (durationMs < 60_000) return `${(durationMs / 1000).toFixed(1)} s`
  const seconds = Math.round(durationMs / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, '0')} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} m`
  const hours = Math.round(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Write a size for people, in powers of 1024: `812 B`, `1.4 KiB`, `37.2 MiB`. */
export function formatBytes(sizeBytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const
  let value = sizeBytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`
}

const sizeFactors = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, KB: 1000, MB: 1e6, GB: 1e9 } as const

/** Read a size: `500KiB`, `1.5 MiB`, `10MB`; undefined when it is none or less than a byte. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?) ?(B|[KMG]i?B)$/.exec(text)
  if (match === null) return undefined
  const sizeBytes = Math.round(Number(match[1]) * sizeFactors[match[2] as keyof typeof sizeFactors])
  return sizeBytes === 0 ? undefined : sizeBytes
}
