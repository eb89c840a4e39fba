import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { longestPageBytes } from '../gate/answers/page.ts'
import type { CertificateFiles } from '../gate/edge/certificate.ts'
import { type FrontSettings, frontSettings } from '../gate/front/settings.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { ServedRelease } from './serve-release.ts'

/**
 * Read how the gate is to behave in front of a release: what its recipe says, its page, and the secret that lets some pass.
 *
 * Post: never fails for the page, for an application must not stay away because of it: it is told, and clients get the gate's own.
 */
export function readFrontSettings(
  release: ServedRelease,
  { log }: Pick<PrefixPaths, 'log'>,
  emit: Emit,
): FrontSettings {
  const { gate } = release.node
  const { secret } = gate.bypass
  return frontSettings(gate, {
    page: gate.backoff.page === undefined ? undefined : pageOrNone(release, gate.backoff.page, emit),
    bypassToken: secret === undefined ? undefined : release.secrets[secret],
    certificate: gate.tls === undefined ? undefined : certificateOf(release, gate.tls),
    accessLogFile: path.join(log, 'access.log'),
  })
}

/** Errors: RECIPE_PLACEHOLDER. */
function certificateOf({ folder, values }: ServedRelease, named: CertificateFiles): CertificateFiles {
  const place = (text: string, key: string) =>
    path.resolve(folder, fillPlaceholders(text, values, `node.gate.tls.${key}`))
  return { certificate: place(named.certificate, 'certificate'), key: place(named.key, 'key') }
}

function pageOrNone(release: ServedRelease, page: string, emit: Emit): string | undefined {
  try {
    return readPage(release.folder, page)
  } catch (caught) {
    if (!(caught instanceof ReleaseError)) throw caught
    emit({ kind: 'warning', code: caught.code, message: caught.message })
    return undefined
  }
}

/** Read a page of a release. Errors: GATE_PAGE_INVALID when it is no file of the release, or too long. */
export function readPage(folder: string, page: string): string {
  const file = path.join(folder, page)
  try {
    const real = fs.realpathSync(file)
    // A link out of the release would show everybody a file of this machine.
    if (!real.startsWith(`${fs.realpathSync(folder)}${path.sep}`)) throw pageError(file, 'it is not in the release')
    const descriptor = fs.openSync(real, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
    try {
      const { size } = regular(fs.fstatSync(descriptor), file)
      if (size > longestPageBytes) throw pageError(file, `it has ${size} bytes of at most ${longestPageBytes}`)
      return fs.readFileSync(descriptor, 'utf8')
    } finally {
      fs.closeSync(descriptor)
    }
  } catch (caught) {
    if (caught instanceof ReleaseError) throw caught
    throw pageError(file, (caught as Error).message, caught)
  }
}

function regular(found: fs.Stats, file: string): fs.Stats {
  if (found.isFile()) return found
  throw pageError(file, 'it is not a file')
}

function pageError(file: string, why: string, cause?: unknown): ReleaseError {
  return new ReleaseError('GATE_PAGE_INVALID', `${file} cannot be shown: ${why}`, { cause, details: { path: file } })
}
