import { ComponentType, ExternalReferenceType, LifecyclePhase } from '@cyclonedx/cyclonedx-library/Enums'
import {
  Bom,
  Component,
  ExternalReference,
  ExternalReferenceRepository,
  LicenseRepository,
  Metadata,
  OrganizationalContact,
  OrganizationalContactRepository,
  OrganizationalEntity,
  Property,
  PropertyRepository,
  Tools,
} from '@cyclonedx/cyclonedx-library/Models'
import { JSON as Json } from '@cyclonedx/cyclonedx-library/Serialize'
import { Spec1dot6 } from '@cyclonedx/cyclonedx-library/Spec'
import { toolVersion } from '../core/tool.ts'
import { parseLicence } from './licence.ts'
import { packageUrl } from './purl.ts'
import type { Problem } from './unreadable.ts'

/** The application or component that a bill of materials is of. */
export interface DescribedApplication {
  readonly name: string
  readonly version: string
  /** SPDX licence expression. */
  readonly licence: string
  /** `Name <mail@example.org>`. */
  readonly maintainer: string
  readonly homepage?: string | undefined
}

/** What a bill of materials is made of. */
export interface BillParts {
  readonly application: DescribedApplication
  readonly sourceDateEpoch: number
  readonly serialNumber: string
  readonly components: readonly Component[]
  /** Components that the application itself asks for. */
  readonly wanted: readonly Component[]
  /** Base images and their packages. */
  readonly bases: readonly Component[]
  readonly problems: readonly Problem[]
}

/** A document as the library writes it; files are added to it as plain objects. */
export type BillDocument = Json.Types.Normalized.Bom

/** The reference of the application itself. Paths in a payload are relative: what begins with a slash is no package in it. */
export const applicationRef = '/'

/** The name of the property that says why a file was passed over. */
export const problemProperty = 'dev.cutover:passed-over'

/**
 * Make the CycloneDX document of what was found, without files.
 *
 * Shape: CycloneDX 1.6, which every reader of today takes. What nothing else depends on, the application is said to depend on, so that all
 * is reachable. Post: lists are in the order given, for the library sorts by the locale.
 */
export function billOf(parts: BillParts): BillDocument {
  const { application, components, bases } = parts
  const bom = new Bom({ serialNumber: parts.serialNumber })
  const component = describe(application)
  bom.metadata = new Metadata({
    timestamp: new Date(parts.sourceDateEpoch * 1000),
    component,
    tools: cutoverAsTool(),
    properties: new PropertyRepository(
      parts.problems.map(({ path, reason }) => new Property(problemProperty, `${path} ${reason}`)),
    ),
  })
  bom.metadata.lifecycles.add(LifecyclePhase.Build)
  const needed = new Set(components.flatMap(each => [...each.dependencies]))
  for (const each of [...parts.wanted, ...components.filter(({ bomRef }) => !needed.has(bomRef)), ...bases]) {
    component.dependencies.add(each.bomRef)
  }
  for (const each of [...components, ...bases]) bom.components.add(each)
  return new Json.Normalize.Factory(Spec1dot6).makeForBom().normalize(bom, {})
}

function describe({ name, version, licence, maintainer, homepage }: DescribedApplication): Component {
  const parsed = parseLicence(licence)
  return new Component(ComponentType.Application, name, {
    version,
    bomRef: applicationRef,
    purl: packageUrl({ type: 'generic', name, version }),
    licenses: new LicenseRepository(parsed === undefined ? [] : [parsed]),
    supplier: supplierOf(maintainer),
    externalReferences: new ExternalReferenceRepository(
      homepage === undefined ? [] : [new ExternalReference(homepage, ExternalReferenceType.Website)],
    ),
  })
}

function supplierOf(maintainer: string): OrganizationalEntity {
  const [, name = maintainer, email] = /^([^<>]+) <([^<>]+)>$/.exec(maintainer) ?? []
  const contact = new OrganizationalContact({ name, ...(email === undefined ? {} : { email }) })
  return new OrganizationalEntity({ name, contact: new OrganizationalContactRepository([contact]) })
}

function cutoverAsTool(): Tools {
  const tools = new Tools()
  tools.components.add(new Component(ComponentType.Application, 'cutover', { version: toolVersion }))
  return tools
}
