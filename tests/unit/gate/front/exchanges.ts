import type { Exchange, ForwardHooks, Origin } from '../../../../src/gate/front/exchange.ts'
import type { Upstream } from '../../../../src/gate/http1/upstream.ts'

/** An exchange without a connection. */
export interface TestExchange extends Exchange {
  /** What became of it: `503`, `forwarded`. */
  readonly seen: string[]
  /** The hooks of the last forwarding. */
  readonly hooks: () => ForwardHooks
  readonly hangUp: () => void
}

interface Given {
  readonly method?: string
  readonly path?: string
  readonly fields?: Readonly<Record<string, string>>
  readonly origin?: Origin
}

const local: Origin = { remoteAddress: '127.0.0.1', remotePort: 1, peerAddress: '127.0.0.1', isSecure: false }

/** Make one. */
export function exchangeOf({ method = 'GET', path = '/', fields = {}, origin = local }: Given = {}): TestExchange {
  const seen: string[] = []
  let hooks: ForwardHooks | undefined
  let gone: (() => void) | undefined
  return {
    method,
    target: path,
    path,
    httpVersion: '1.1',
    origin,
    field: name => fields[name],
    sizeBytes: 100,
    hasUnreadBody: () => false,
    answer: answered => seen.push(String(answered.status)),
    forward: (_upstream: Upstream, given: ForwardHooks) => {
      seen.push('forwarded')
      hooks = given
    },
    onGone: call => {
      gone = call
      return () => {
        gone = undefined
      }
    },
    seen,
    hooks: () => hooks!,
    hangUp: () => gone?.(),
  }
}
