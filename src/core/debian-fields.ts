import { type RelationField, relationFields } from './debian-relation.ts'

/** How the value of a control field is written: one of some words, or text of a form. */
type FieldForm = { readonly words: readonly string[] } | { readonly form: RegExp; readonly expected: string }

const yesNo: FieldForm = { words: ['yes', 'no'] }
const word: FieldForm = { form: /^[^\s,]+$/, expected: 'one word' }
const line: FieldForm = { form: /^\S(?:.*\S)?$/, expected: 'one line of text' }
const words: FieldForm = { form: /^[^\s,]+(?: [^\s,]+)*$/, expected: 'words separated by spaces' }

/**
 * The fields that few packages have, and how their values are written.
 *
 * Source: deb-control(5); Installer-Menu-Item: Debian installer internals; Task: tasksel; Tag: debtags.
 */
export const rareFields = {
  'Package-Type': { words: ['deb'] },
  'Kernel-Version': word,
  'Built-For-Profiles': words,
  'Auto-Built-Package': words,
  Subarchitecture: words,
  'Installer-Menu-Item': { form: /^\d+$/, expected: 'a whole number' },
  'Build-Essential': yesNo,
  Essential: yesNo,
  Protected: yesNo,
  Origin: line,
  Bugs: { form: /^[a-z][a-z0-9+.-]*:\S+$/, expected: 'an address such as https://example.org/bugs' },
  Tag: {
    form: /^[^\s,][^\s,]*::[^\s,]+(?:, [^\s,]+::[^\s,]+)*$/,
    expected: 'tags such as role::program, use::editing',
  },
  Task: { form: /^[^\s,]+(?:, [^\s,]+)*$/, expected: 'names separated by a comma and a space' },
  'Build-Ids': { form: /^[0-9a-f]+(?: [0-9a-f]+)*$/, expected: 'build IDs in hexadecimal' },
} as const satisfies Readonly<Record<string, FieldForm>>
/** A field that few packages have. */
export type RareField = keyof typeof rareFields

/** Every field in the order in which dpkg writes them. Source: Dpkg::Control::FieldsCore, CTRL_DEB. */
export const controlFields = [
  'Package',
  'Package-Type',
  'Source',
  'Version',
  'Kernel-Version',
  'Built-For-Profiles',
  'Auto-Built-Package',
  'Architecture',
  'Subarchitecture',
  'Installer-Menu-Item',
  'Build-Essential',
  'Essential',
  'Protected',
  'Origin',
  'Bugs',
  'Maintainer',
  'Installed-Size',
  ...relationFields,
  'Section',
  'Priority',
  'Multi-Arch',
  'Homepage',
  'Description',
  'Tag',
  'Task',
  // Written by dh_gencontrol for packages of debug symbols; dpkg has no place of its own for it and puts it last.
  'Build-Ids',
] as const

/** Tell whether a field is one of a vendor's own, which dpkg keeps and nobody reads: `X-…`. Source: deb-src-control(5). */
export function isVendorField(name: string): boolean {
  return /^X-[A-Za-z0-9][A-Za-z0-9-]*$/.test(name)
}

/** Tell whether a field names other packages. */
export function isRelationField(name: string): name is RelationField {
  return (relationFields as readonly string[]).includes(name)
}

/** Say what is wrong with the value of a rare field or a vendor's own, as `expected …`, or nothing. */
export function rareFieldProblem(name: string, value: string): string | undefined {
  const known: Readonly<Record<string, FieldForm>> = rareFields
  const form = isVendorField(name) ? line : Object.hasOwn(known, name) ? known[name] : undefined
  if (form === undefined) return `expected one of ${Object.keys(rareFields).join(', ')} or X-NAME`
  if ('words' in form) return form.words.includes(value) ? undefined : `expected ${form.words.join(' or ')}`
  return form.form.test(value) && !/[\u0000-\u001f\u007f]/.test(value) ? undefined : `expected ${form.expected}`
}
