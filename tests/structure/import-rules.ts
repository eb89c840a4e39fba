/*
 * Which folder of src/ may import from which: the table of ARCHITECTURE.md. Whoever changes one changes the other.
 */

/** From the outside in; a file may import from its own layer's folder and from every layer behind it. */
const layers = ['bin', 'cli', 'flow', 'domain', 'sys', 'core'] as const

/** The only edges between domains. All others meet in flow/. */
const domainEdges: Readonly<Record<string, readonly string[]>> = {
  recipe: [],
  source: ['recipe'],
  build: ['recipe'],
  payload: [],
  // The documents and layouts of images are read in one way, whoever brings them.
  envelope: ['payload', 'registry'],
  evidence: ['payload'],
  comparison: ['payload', 'envelope', 'evidence'],
  // What trust hands out is the release record, and that is payload's document.
  trust: ['payload'],
  // A registry of images is one of the places that a release is published to.
  repository: ['payload', 'envelope', 'evidence', 'trust', 'registry'],
  registry: [],
  // Where the bytes of a release can be fetched: in whatever envelope, from whatever kind of place.
  mirror: ['payload', 'trust', 'registry'],
  prefix: ['recipe', 'payload', 'trust'],
  gate: ['recipe'],
  // Two prefixes whose roles are swapped: their gates are told.
  slots: ['recipe', 'prefix', 'gate'],
  service: ['recipe'],
}

/** Who may load a module that changes or asks the world, by folder. Elsewhere it is done through sys/. */
export const effectUsers: Readonly<Record<string, readonly string[]>> = {
  'node:fs': ['sys', ...Object.keys(domainEdges), 'flow'],
  'node:fs/promises': ['sys'],
  'node:child_process': ['sys'],
  'node:net': ['sys', 'gate'],
  'node:http': ['sys', 'gate'],
  'node:https': ['sys'],
  'node:http2': ['gate'],
  'node:tls': ['sys', 'gate'],
  'node:dgram': ['sys'],
  'node:sqlite': ['sys'],
  'node:cluster': [],
  'node:worker_threads': ['sys', 'payload'],
}

/** Files that decide and word, and so must be testable without a machine: they use neither sys/ nor a module of {@link effectUsers}. */
export function isPure(file: string): boolean {
  const name = file.split('/').at(-1)!
  return folderOf(file) === 'core' || /^((plan|machine|state|decide)\.|(render|parse)[.-])/.test(name)
}

/** The folder of src/ that a file belongs to. */
export function folderOf(file: string): string {
  return file.split('/')[1] ?? ''
}

/** Name the rule that an import breaks, or undefined when it breaks none. Both files are relative to the repository. */
export function brokenRule(from: string, to: string): string | undefined {
  if (!to.startsWith('src/')) return to === 'package.json' ? undefined : 'src/ imports nothing outside of src/'
  const [fromFolder, toFolder] = [folderOf(from), folderOf(to)]
  if (fromFolder === toFolder) return undefined
  const [fromLayer, toLayer] = [layerOf(fromFolder), layerOf(toFolder)]
  if (fromLayer === 'domain' && toLayer === 'domain') {
    if (domainEdges[fromFolder]!.includes(toFolder)) return undefined
    const allowed = domainEdges[fromFolder]!.join(', ') || 'no other domain'
    return `${fromFolder}/ may import ${allowed}; domains meet in flow/`
  }
  if (layers.indexOf(fromLayer) < layers.indexOf(toLayer)) return undefined
  return `imports go ${layers.join(' → ')}, never upward`
}

function layerOf(folder: string): (typeof layers)[number] {
  if (folder in domainEdges) return 'domain'
  const layer = layers.find(name => name === folder)
  if (layer === undefined)
    throw new Error(`src/${folder}/ stands in no layer: add it to tests/structure/import-rules.ts`)
  return layer
}
