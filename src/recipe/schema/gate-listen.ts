import { z } from 'zod'
import { name } from './values.ts'

const address = z
  .string()
  .min(1)
  .describe('`HOST:PORT`, `[HOST]:PORT` or `unix:PATH`; may use variables of the environment.')

const listener = z.strictObject({
  address,
  name: name.default('http').describe('Its name in LISTEN_FDNAMES, in mode `handover`.'),
  tls: z
    .boolean()
    .default(false)
    .describe('Whether TLS is spoken there, with the certificate of `gate.tls`; not in mode `handover`.'),
  proxyProtocol: z
    .boolean()
    .default(false)
    .describe(
      'Whether each connection begins with the PROXY protocol, v1 or v2; peers that are not trusted are refused.',
    ),
})

/** Where clients reach the application: one address, or several. */
export const listen = z
  .union([
    address,
    z
      .array(z.union([address, listener]))
      .min(1)
      .max(16),
  ])
  .transform(value => (typeof value === 'string' ? [value] : value))
  .transform(all => all.map(each => (typeof each === 'string' ? listener.parse({ address: each }) : each)))
  .describe('The public address, or a list of them. The first is the one that is shown.')

/** What a server needs to speak TLS. */
export const tls = z
  .strictObject({
    certificate: z
      .string()
      .min(1)
      .describe(
        'The certificate with its chain, a PEM file; may use placeholders as a service does. Read again when it changes.',
      ),
    key: z.string().min(1).describe('Its key, a PEM file that only its owner can read.'),
    http2: z.boolean().default(true).describe('Whether HTTP/2 is offered beside HTTP/1.1.'),
  })
  .describe('The certificate of listeners with `tls: true`.')

/** Addresses and networks. */
export const networks = z.array(
  z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], {
    error: 'expected an address or a network such as 10.0.0.0/8 or 2001:db8::/32',
  }),
)
