import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { type CertificateFiles, certificateStamp, readCertificate } from './certificate.ts'

/** How long a client may take from its first byte to a finished handshake. */
const handshakeMs = 10_000

/** How often it is looked whether the certificate was renewed. */
const lookMs = 10_000

/** With what TLS is spoken, and what is offered on it. Plain data: the key is a path. */
export interface TlsSettings extends CertificateFiles {
  /** Whether HTTP/2 is offered beside HTTP/1.1. */
  readonly http2: boolean
}

/** Speak TLS on connections, with a certificate that is read again when its files change. */
export class TlsTerminator {
  readonly #warn: (error: unknown) => void
  readonly #looking: NodeJS.Timeout
  #settings: TlsSettings
  #context: SecureContext
  /** What the files were when they were last read, and when they were last looked at. */
  #readStamp: string
  #seenStamp: string

  /** `warn` is told why a new certificate cannot be used. Errors: GATE_TLS_INVALID, GATE_TLS_KEY_EXPOSED. */
  constructor(settings: TlsSettings, warn: (error: unknown) => void) {
    this.#settings = settings
    this.#warn = warn
    this.#readStamp = certificateStamp(settings)
    this.#seenStamp = this.#readStamp
    this.#context = readCertificate(settings)
    this.#looking = setInterval(() => this.look(), lookMs)
    this.#looking.unref()
  }

  /** Shake hands; `done` is called with the connection that clients speak HTTP on, or never when that fails: then the connection is destroyed. */
  secure(socket: Socket, done: (secured: TLSSocket) => void): void {
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#context,
      ALPNProtocols: this.#settings.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
    })
    const late = setTimeout(() => secured.destroy(), handshakeMs)
    const stop = () => {
      clearTimeout(late)
      secured.off('error', fail).off('close', stop)
    }
    const fail = () => secured.destroy()
    secured.on('error', fail).once('close', stop)
    secured.once('secure', () => {
      stop()
      // What accepts by itself (tls.Server) says so as well; HTTP/2 waits for it.
      Object.assign(secured, { secureConnecting: false })
      done(secured)
    })
  }

  /** Go on with another certificate, from the next connection on. Post: as of {@link reload}. */
  configure(settings: TlsSettings): void {
    const { certificate, key } = this.#settings
    this.#settings = settings
    if (settings.certificate !== certificate || settings.key !== key) this.reload()
  }

  /** Read the certificate again. Post: connections that stand are left alone; one that cannot be used is warned of, and the old one stays. */
  reload(): void {
    this.#readStamp = certificateStamp(this.#settings)
    try {
      this.#context = readCertificate(this.#settings)
    } catch (caught) {
      this.#warn(caught)
    }
  }

  /** Read the certificate again if its files have changed, once they are as they were at the look before: they may be written one after the other. */
  look(): void {
    const stamp = certificateStamp(this.#settings)
    const isSettled = stamp === this.#seenStamp
    this.#seenStamp = stamp
    if (isSettled && stamp !== this.#readStamp) this.reload()
  }

  /** Look for no new certificate any more. */
  close(): void {
    clearInterval(this.#looking)
  }
}
