import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { countConnections } from '../gate/drivers/loopback-connections.ts'
import { checkConfiguration } from '../gate/drivers/nginx-check.ts'
import { findMaster } from '../gate/drivers/nginx-process.ts'
import { makeFolder, readLinkIfExists, replaceSymlink, writeFileAtomic } from '../sys/files.ts'
import { nowhere, type SiteRouter } from './document.ts'
import { readableFile } from './render-front.ts'
import type { RoleRouter, RoleRouterOptions } from './role-router.ts'

/**
 * Lead clients by links that an nginx looks at for each request: `routes/ROLE` leads to `routes/at-SLOT`, which holds a file of the slot's name.
 *
 * To lead clients elsewhere one link is replaced, and nothing is reloaded: no connection is closed, and each request finds the one or the other.
 */
export function nginxRouter(
  { pidFile, check }: SiteRouter & { readonly kind: 'nginx' },
  { paths, site, addresses }: RoleRouterOptions,
): RoleRouter {
  const folder = (slot: string) => `at-${slot}`
  const link = (role: string) => path.join(paths.routes, role)
  const known = [...Object.keys(site.slots), nowhere]
  const persisted = (role: string) => known.find(slot => folder(slot) === readLinkIfExists(link(role)))
  return {
    prepare: async () => {
      for (const slot of known) {
        makeReadable(path.join(paths.routes, folder(slot)))
        writeFileAtomic(path.join(paths.routes, folder(slot), slot), '', { mode: 0o644 })
      }
      makeReadable(paths.routes)
      writeFileAtomic(path.join(paths.routes, readableFile), '', { mode: 0o644 })
      for (const role of site.roles) if (persisted(role) === undefined) replaceSymlink(link(role), folder(nowhere))
    },
    routes: async () => {
      findMaster(pidFile)
      await assertLooks(check, paths.routes)
      return Object.fromEntries(
        site.roles.map(role => {
          const slot = persisted(role)
          return [role, slot === nowhere ? undefined : slot]
        }),
      )
    },
    lead: async (role, slot) => {
      findMaster(pidFile)
      replaceSymlink(link(role), folder(slot ?? nowhere))
    },
    underWay: async slot => {
      const address = addresses[slot]
      // It keeps no connection without a request on it to what it passes requests on to.
      return address?.kind === 'tcp' ? countConnections(address.port) : undefined
    },
  }
}

/** Its workers are another user, whatever our umask is. */
function makeReadable(folder: string): void {
  makeFolder(folder)
  fs.chmodSync(folder, 0o755)
}

/** Errors: ROUTE_NOT_TAKEN when its configuration does not look there, or is none. */
async function assertLooks(check: readonly string[], folder: string): Promise<void> {
  try {
    await checkConfiguration(check, [folder])
  } catch (caught) {
    if (!(caught instanceof ReleaseError) || caught.code !== 'GATE_SERVER_REFUSED') throw caught
    throw new ReleaseError('ROUTE_NOT_TAKEN', caught.message, {
      hint: 'put what `cutover slots config SITE` prints into its configuration, and reload it',
      cause: caught,
      details: { path: folder },
    })
  }
}
