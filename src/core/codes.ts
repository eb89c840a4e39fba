import { buildCodes } from './codes/build.ts'
import { cutCodes } from './codes/cut.ts'
import type { ErrorEntries } from './codes/entry.ts'
import { evidenceCodes } from './codes/evidence.ts'
import { gateCodes } from './codes/gate.ts'
import { generalCodes } from './codes/general.ts'
import { inspectCodes } from './codes/inspect.ts'
import { mirrorCodes } from './codes/mirror.ts'
import { outletCodes } from './codes/outlet.ts'
import { payloadCodes } from './codes/payload.ts'
import { prefixCodes } from './codes/prefix.ts'
import { rebuildCodes } from './codes/rebuild.ts'
import { recipeCodes } from './codes/recipe.ts'
import { registryCodes } from './codes/registry.ts'
import { repositoryCodes } from './codes/repository.ts'
import { revisionCodes } from './codes/revision.ts'
import { slotsCodes } from './codes/slots.ts'
import { sourceCodes } from './codes/source.ts'
import { trustCodes } from './codes/trust.ts'

export type { ErrorEntry } from './codes/entry.ts'

/** Every error that a user can meet, by area. `src/ERRORS.md` is generated from it; a test holds both ways. */
export const errorAreas = {
  'Core and sys': generalCodes,
  Trust: trustCodes,
  Repository: repositoryCodes,
  Outlets: outletCodes,
  Evidence: evidenceCodes,
  Registry: registryCodes,
  Recipe: recipeCodes,
  'Payload and envelope': payloadCodes,
  Mirrors: mirrorCodes,
  Inspect: inspectCodes,
  'Prefix and install': prefixCodes,
  'Install from a revision': revisionCodes,
  'Gate, service and serve': gateCodes,
  Slots: slotsCodes,
  Source: sourceCodes,
  Build: buildCodes,
  Rebuild: rebuildCodes,
  Cut: cutCodes,
} as const satisfies Readonly<Record<string, ErrorEntries>>

/** Every error that a user can meet. */
export const errorCodes = {
  ...generalCodes,
  ...trustCodes,
  ...repositoryCodes,
  ...outletCodes,
  ...evidenceCodes,
  ...registryCodes,
  ...recipeCodes,
  ...payloadCodes,
  ...mirrorCodes,
  ...inspectCodes,
  ...prefixCodes,
  ...revisionCodes,
  ...gateCodes,
  ...slotsCodes,
  ...sourceCodes,
  ...buildCodes,
  ...rebuildCodes,
  ...cutCodes,
} as const

/** The code of a ReleaseError: `AREA_WHAT`. */
export type ErrorCode = keyof typeof errorCodes
