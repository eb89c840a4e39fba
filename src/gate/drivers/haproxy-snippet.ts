import path from 'node:path'
import { type Address, formatAddress } from '../front/address.ts'
import { backendsOf, type HaproxyPlaces, nowherePort } from './haproxy.ts'
import { runtimeWord } from './haproxy-runtime.ts'
import { type WaitingPlace, waitingAddress } from './waiting-socket.ts'

/** What the configuration of a server in front depends on. Times in milliseconds. */
export interface SnippetOptions {
  readonly prefix: string
  /** Where clients reach it. */
  readonly listening: readonly Address[]
  /** Peers that are believed what they say of the original client. */
  readonly trust: readonly string[]
  /** How long a request may take that was held before. */
  readonly answerTimeoutMs: number
  readonly idleTimeoutMs: number
}

/**
 * Write what HAProxy's configuration needs to stand in front of a prefix.
 *
 * Post: valid for HAProxy 2.6 with a section `global` that has the runtime socket, once `cutover serve` has written the map. A request
 * whose application does not accept goes to the waiting room, as its backup. Errors: GATE_SERVER_SETTINGS.
 * Source: HAProxy Configuration Manual, use_backend, map, redispatch, load-server-state-from-file; a server's socket is looked for below the chroot.
 */
export function haproxySnippet(
  places: HaproxyPlaces,
  waiting: WaitingPlace,
  options: SnippetOptions & { readonly chroot: string | undefined },
): string {
  const { front, app, wait, server, gate } = backendsOf(runtimeWord(places.name))
  const socket = waitingAddress(waiting).path
  const room = `unix@${options.chroot === undefined ? socket : `/${path.relative(options.chroot, socket)}`}`
  const map = `${runtimeWord(places.map)},${wait}`
  const usual = [
    '    mode http',
    '    # What cannot be reached is tried again after as long: an application, or cutover itself, that is being restarted.',
    '    timeout connect 500ms',
    '    retries 10',
    '    option redispatch 1',
    `    timeout server ${options.answerTimeoutMs}ms`,
    '    timeout tunnel 1h',
  ]
  return lines([
    `# HAProxy in front of ${commented(options.prefix)}, as printed by: cutover gate config haproxy`,
    '# Its section global needs the runtime socket, if it has it not:',
    `#     stats socket ${runtimeWord(places.socket)} mode 660 level admin`,
    '# Run cutover serve first: it writes the map.',
    '',
    // A frontend cannot have abortonclose, which is looked at on both ways.
    `listen ${front}`,
    '    mode http',
    '    option abortonclose',
    ...options.listening.map(address => `    bind ${bindText(address)}`),
    `    timeout client ${options.idleTimeoutMs}ms`,
    ...forwarding(options.trust),
    `    use_backend %[str(${runtimeWord(places.key)}),map(${map})]`,
    '',
    `backend ${app}`,
    ...usual,
    '    # Where the application is, told at run time; kept for reloads.',
    '    load-server-state-from-file local',
    `    server-state-file-name ${runtimeWord(places.stateFile)}`,
    `    server ${server} 127.0.0.1:${nowherePort}`,
    `    server ${gate} ${runtimeWord(room)} backup`,
    '',
    `backend ${wait}`,
    ...usual,
    '    # Who hangs up does not wait any more.',
    '    option abortonclose',
    '    # The check is for cutover: it holds nobody unless this arrives. It never takes the server out.',
    `    server ${gate} ${runtimeWord(room)} check inter 250ms fall 1000000`,
  ])
}

/** Take any text as part of a comment, which ends with its line. */
export function commented(text: string): string {
  return text.replace(/[^ -~]/g, '?')
}

/** Nobody but those who are trusted says for whom a request comes. */
function forwarding(trust: readonly string[]): readonly string[] {
  const fields = ['Forwarded', 'X-Real-IP', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto']
  const isTrusted = trust.length === 0 ? '' : ` unless { src ${trust.join(' ')} }`
  return [
    ...fields.map(name => `    http-request del-header ${name}${isTrusted}`),
    '    http-request set-header X-Forwarded-Host %[req.hdr(host)] unless { req.hdr(X-Forwarded-Host) -m found }',
    '    http-request set-header X-Forwarded-Proto https if { ssl_fc } !{ req.hdr(X-Forwarded-Proto) -m found }',
    '    http-request set-header X-Forwarded-Proto http unless { req.hdr(X-Forwarded-Proto) -m found }',
    '    option forwardfor',
  ]
}

function bindText(address: Address): string {
  return runtimeWord(address.kind === 'unix' ? `unix@${address.path}` : bracketless(formatAddress(address)))
}

/** HAProxy takes what is behind the last colon for the port, without brackets. */
function bracketless(text: string): string {
  return text.replace(/[[\]]/g, '')
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`
}
