import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

/**
 * How TLS is spoken with clients: 1.2 and newer, only with forward secrecy and authenticated encryption, never renegotiated.
 *
 * Source: RFC 9325 §3.1, §4.2; RFC 9113 §9.2 (HTTP/2 forbids renegotiation and what its appendix A lists).
 */
export const secureContextOptions: SecureContextOptions = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  // Clients know best which cipher their machine has in hardware.
  honorCipherOrder: false,
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
}
