import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { haproxySnippet, type SnippetOptions } from '../gate/drivers/haproxy-snippet.ts'
import { nginxSnippet } from '../gate/drivers/nginx-snippet.ts'
import { readIdentity } from '../prefix/identity.ts'
import { currentVersion } from '../prefix/installed.ts'
import { prefixPaths } from '../prefix/layout.ts'
import { serveListeners } from './serve-listeners.ts'
import { outsidePlaces } from './serve-outside.ts'
import { readServedRelease, type ServedRelease } from './serve-release.ts'

export interface GateConfigOptions {
  readonly prefix: string
  readonly server: 'haproxy' | 'nginx'
  /** The release whose recipe says it; the active one when absent. */
  readonly version: string | undefined
}

/** Slack for what a request may take besides: a timeout of the server in front must never be the first. */
const slackMs = 5000

/**
 * Write what the configuration of the HAProxy or nginx of this machine needs to stand in front of a prefix.
 *
 * Post: a text to paste, with the places, listeners and times of the release's recipe; nothing was changed. Errors: PREFIX_UNKNOWN,
 * SERVE_NO_RELEASE, GATE_SERVER_SETTINGS, GATE_ADDRESS_INVALID, RECIPE_PLACEHOLDER.
 */
export function gateConfig({ prefix, server, version }: GateConfigOptions): string {
  const paths = prefixPaths(path.resolve(prefix))
  const identity = readIdentity(paths)
  const wanted = version ?? currentVersion(paths)
  if (wanted === undefined) {
    throw new ReleaseError('SERVE_NO_RELEASE', `${paths.root} has no release yet, so its recipe is not known`, {
      hint: `install one with ${path.join(paths.bin, 'install')}`,
      details: { path: paths.root },
    })
  }
  const release = readServedRelease(paths, identity, wanted)
  const places = outsidePlaces(server, release, { paths, identity })
  const options = snippetOptions(paths.root, release)
  return places.kind === 'haproxy'
    ? haproxySnippet(places.haproxy, places.waiting, { ...options, chroot: places.chroot })
    : nginxSnippet(places.nginx, options)
}

function snippetOptions(root: string, release: ServedRelease): SnippetOptions {
  const { hold, upstream, limits, trust } = release.node.gate
  return {
    prefix: root,
    listening: serveListeners({ listen: undefined, inherited: [] }, release).map(({ address }) => address),
    trust,
    answerTimeoutMs: hold.age + upstream.timeout + slackMs,
    idleTimeoutMs: limits.idleTimeout,
  }
}
