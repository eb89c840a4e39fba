import { inflateSync } from 'node:zlib'

/** What a picture is like, as far as one can tell without looking. */
export interface Picture {
  readonly widthPixels: number
  readonly heightPixels: number
  /** Mean brightness from 0 to 1. */
  readonly brightness: number
  /** How many colours there are. */
  readonly colors: number
}

/** Read a PNG with 8 bits for each of red, green, blue and maybe alpha, not interlaced: what browsers write. Source: PNG, third edition, §9. */
export function readPicture(png: Buffer): Picture {
  const [widthPixels, heightPixels] = [png.readUInt32BE(16), png.readUInt32BE(20)]
  const channels = { 2: 3, 6: 4 }[png[25]!]
  if (png[24] !== 8 || channels === undefined) throw new Error('not a picture of a kind that browsers write')
  const stride = widthPixels * channels
  const lines = inflateSync(Buffer.concat(dataParts(png)))
  const colors = new Set<number>()
  let before: Buffer = Buffer.alloc(stride)
  let sum = 0
  for (let row = 0; row < heightPixels; row += 1) {
    const start = row * (stride + 1)
    const line = unfilter(lines[start]!, lines.subarray(start + 1, start + 1 + stride), { before, channels })
    let last = -1
    for (let at = 0; at < stride; at += channels) {
      const color = (line[at]! << 16) | (line[at + 1]! << 8) | line[at + 2]!
      if (color !== last) colors.add(color)
      last = color
      sum += line[at]! + line[at + 1]! + line[at + 2]!
    }
    before = line
  }
  return { widthPixels, heightPixels, brightness: sum / (3 * 255 * widthPixels * heightPixels), colors: colors.size }
}

function dataParts(png: Buffer): readonly Buffer[] {
  const parts: Buffer[] = []
  for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12) {
    const sizeBytes = png.readUInt32BE(at)
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + sizeBytes))
  }
  return parts
}

/** Undo what made the line smaller: each byte was written as the difference from a guess. */
function unfilter(
  filter: number,
  line: Buffer,
  { before, channels }: { readonly before: Buffer; readonly channels: number },
): Buffer {
  if (filter === 0) return line
  const plain = Buffer.alloc(line.length)
  for (let at = 0; at < line.length; at += 1) {
    const left = at < channels ? 0 : plain[at - channels]!
    const above = before[at]!
    if (filter === 1) plain[at] = line[at]! + left
    else if (filter === 2) plain[at] = line[at]! + above
    else if (filter === 3) plain[at] = line[at]! + ((left + above) >> 1)
    else plain[at] = line[at]! + nearest(left, above, at < channels ? 0 : before[at - channels]!)
  }
  return plain
}

/** Paeth's guess. */
function nearest(left: number, above: number, corner: number): number {
  const estimate = left + above - corner
  const toLeft = Math.abs(estimate - left)
  const toAbove = Math.abs(estimate - above)
  const toCorner = Math.abs(estimate - corner)
  if (toLeft <= toAbove && toLeft <= toCorner) return left
  return toAbove <= toCorner ? above : corner
}
