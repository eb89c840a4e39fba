import type { Secrets } from './secrets.ts'

/** Lines of a secret that are shorter than this are common words as well, such as `{`. */
const shortestLine = 8

/**
 * Make a function that takes secrets out of a text, in the forms in which programs print them.
 *
 * Shape: a secret as it is, each of its longer lines (output comes line by line), as JSON and addresses write it, and as base64. What a
 * program has computed from it otherwise is beyond us.
 */
export function redactor(secrets: Secrets): (text: string) => string {
  const forms = new Set(Object.values(secrets).flatMap(formsOf))
  // A form that holds another goes first, or else its rest would stay.
  const hidden = [...forms].filter(form => form !== '').toSorted((a, b) => b.length - a.length)
  return text => hidden.reduce((shown, form) => shown.replaceAll(form, '***'), text)
}

function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret)
  const lines = secret
    .split(/[\r\n]+/)
    .map(line => line.trim())
    .filter(line => line.length >= shortestLine)
  const base64 = bytes.toString('base64')
  return [
    secret,
    secret.trimEnd(),
    ...lines,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    base64,
    base64.replace(/=+$/, ''),
    bytes.toString('base64url'),
  ]
}
