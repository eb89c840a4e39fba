import path from 'node:path'
import { digestOf } from '../../src/core/digest.ts'
import type { BaseImage } from '../../src/evidence/base-image.ts'
import { createSbom, type Inventory, type Sbom, takeInventory } from '../../src/evidence/sbom.ts'
import type { PayloadManifest } from '../../src/payload/manifest.ts'
import { type TestFiles, testEpoch, testTree } from './payload.ts'

/** Files in a folder, what was found in them, and a manifest as packing them would make, without packing them. */
export interface TestInventory {
  readonly inventory: Inventory
  readonly manifest: PayloadManifest
}

/** Take the inventory of files that are written into `folder`. */
export async function testInventory(folder: string, files: TestFiles): Promise<TestInventory> {
  const tree = testTree(folder, files)
  const inventory = await takeInventory({ tree, checkoutFolder: folder })
  const digests = Object.entries(files).flatMap(([name, content]) =>
    typeof content === 'string' || content instanceof Uint8Array ? [[name, digestOf(content)] as const] : [],
  )
  const byName = new Map(digests)
  const manifest = {
    name: 'app',
    version: '1.0.0',
    sourceDateEpoch: testEpoch,
    tar: { sizeBytes: 1024, digest: digestOf(JSON.stringify(digests)) },
    files: tree.entries.map(entry => ({ ...entry, digest: byName.get(entry.path) })),
  } as unknown as PayloadManifest
  return { inventory, manifest }
}

/** Make the SBOM of files. */
export async function testSbom(
  files: TestFiles,
  options: { readonly folder: string; readonly baseImages?: readonly BaseImage[] },
): Promise<Sbom> {
  const { inventory, manifest } = await testInventory(path.join(options.folder, 'tree'), files)
  const application = {
    name: 'app',
    version: '1.0.0',
    licence: 'Apache-2.0',
    maintainer: 'Ada <ada@example.org>',
    homepage: 'https://example.org/app',
  }
  return createSbom({ inventory, manifest, application, ...options })
}

/** A zip of stored members, as small as one can be. Source: PKWARE APPNOTE 6.3, §4.3. */
export function storedZip(members: Readonly<Record<string, string>>): Buffer {
  const local: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(members)) {
    const [nameBytes, bytes] = [Buffer.from(name), Buffer.from(content)]
    const header = Buffer.alloc(30)
    header.writeUInt32LE(0x04034b50, 0)
    header.writeUInt32LE(bytes.byteLength, 18)
    header.writeUInt32LE(bytes.byteLength, 22)
    header.writeUInt16LE(nameBytes.byteLength, 26)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt32LE(bytes.byteLength, 20)
    entry.writeUInt32LE(bytes.byteLength, 24)
    entry.writeUInt16LE(nameBytes.byteLength, 28)
    entry.writeUInt32LE(offset, 42)
    local.push(header, nameBytes, bytes)
    central.push(entry, nameBytes)
    offset += header.byteLength + nameBytes.byteLength + bytes.byteLength
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(Object.keys(members).length, 10)
  end.writeUInt32LE(directory.byteLength, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...local, directory, end])
}
