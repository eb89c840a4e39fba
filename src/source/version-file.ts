import { parseDocument } from 'yaml'
import { ReleaseError } from '../core/error.ts'
import { pythonVersion } from '../core/version.ts'
import type { Recipe } from '../recipe/schema.ts'

/** A file of the recipe that names the version, and where in it. */
export type VersionFile = Recipe['source']['versionFiles'][number]

/**
 * Write a version into a file's text, leaving every other byte as it is.
 *
 * Errors: VERSION_FILE_INVALID (no such member, not a text, nothing that the pattern matches), VERSION_INVALID (it has not the
 * form that is asked for).
 */
export function setVersion(text: string, file: VersionFile, version: string): string {
  const [start, end] = file.json === undefined ? findByPattern(text, file) : findInJson(text, file)
  const formed = file.form === 'python' ? pythonVersion(version) : version
  const written = file.json === undefined ? formed : JSON.stringify(formed)
  return text.slice(0, start) + written + text.slice(end)
}

function findByPattern(text: string, file: VersionFile): readonly [number, number] {
  const range = new RegExp(file.pattern ?? '', 'dm').exec(text)?.indices?.[1]
  if (range === undefined) throw invalid(file, `nothing in it matches ${file.pattern}`)
  return range
}

/** JSON is YAML, and the YAML reader knows where each value stands. Source: yaml.org/spec/1.2.2 §1.3. */
function findInJson(text: string, file: VersionFile): readonly [number, number] {
  const document = parseDocument(text, { prettyErrors: false })
  if (document.errors[0] !== undefined) throw invalid(file, `it is not JSON: ${document.errors[0].message}`)
  const path = (file.json ?? '').split('.')
  const node: unknown = document.getIn(path, true)
  if (typeof node !== 'object' || node === null || !('range' in node) || !('value' in node))
    throw invalid(file, `it has no member ${file.json}`)
  if (typeof node.value !== 'string') throw invalid(file, `its member ${file.json} is not a text`)
  const [start, end] = node.range as readonly [number, number, number]
  return [start, end]
}

function invalid(file: VersionFile, reason: string): ReleaseError {
  return new ReleaseError('VERSION_FILE_INVALID', `the version cannot be set in ${file.path}: ${reason}`, {
    details: { path: file.path },
  })
}
