/** Write the header of the PROXY protocol as version 1 has it. */
export function proxyLine(ends: {
  readonly from: string
  readonly to: string
  readonly fromPort: number
  readonly toPort: number
}): Buffer {
  const family = ends.from.includes(':') ? 'TCP6' : 'TCP4'
  return Buffer.from(`PROXY ${family} ${ends.from} ${ends.to} ${ends.fromPort} ${ends.toPort}\r\n`)
}

/** Write the header as version 2 has it, right or wrong. `family` is the byte of family and transport, `rest` the addresses and what follows them. */
export function proxyBlock(block: {
  readonly version?: number
  readonly command?: number
  readonly family: number
  readonly rest: Buffer
}): Buffer {
  const head = Buffer.from('\r\n\r\n\0\r\nQUIT\n....', 'latin1')
  head.writeUInt8(((block.version ?? 2) << 4) | (block.command ?? 1), 12)
  head.writeUInt8(block.family, 13)
  head.writeUInt16BE(block.rest.length, 14)
  return Buffer.concat([head, block.rest])
}
