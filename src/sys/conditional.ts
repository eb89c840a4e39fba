import type { IncomingHttpHeaders } from 'node:http'
import { parseRange } from './range.ts'

/** What identifies the content that is about to be sent. */
export interface Representation {
  /** Quoted, strong. */
  readonly etag: string
  /** Whole seconds. */
  readonly modified: Date
  readonly sizeBytes: number
}

/** How a GET or HEAD is to be answered: the bytes from `start` up to but without `end`. */
export interface Selection {
  readonly status: 200 | 206 | 304 | 412 | 416
  readonly start: number
  readonly end: number
}

/** Weigh a request's conditions and its range. Source: RFC 9110 §13.2.2 (their order), §14.2 (ranges). */
export function select(headers: IncomingHttpHeaders, representation: Representation): Selection {
  if (isRefused(headers, representation)) return { status: 412, start: 0, end: 0 }
  if (isUnchanged(headers, representation)) return { status: 304, start: 0, end: 0 }
  const { sizeBytes } = representation
  const range = isRangeValid(headers, representation) ? parseRange(headers.range, sizeBytes) : undefined
  if (range === 'unsatisfiable') return { status: 416, start: 0, end: 0 }
  return range === undefined ? { status: 200, start: 0, end: sizeBytes } : { status: 206, ...range }
}

/** The client wants these bytes or none. */
function isRefused(headers: IncomingHttpHeaders, { etag, modified }: Representation): boolean {
  const tags = headers['if-match']
  if (tags !== undefined) return !tags.split(',').some(tag => tag.trim() === '*' || tag.trim() === etag)
  const since = headers['if-unmodified-since']
  return since !== undefined && modified.getTime() > Date.parse(since)
}

function isUnchanged(headers: IncomingHttpHeaders, { etag, modified }: Representation): boolean {
  const tags = headers['if-none-match']
  if (tags !== undefined) {
    return tags.split(',').some(tag => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
  }
  const since = headers['if-modified-since']
  return since !== undefined && modified.getTime() <= Date.parse(since)
}

function isRangeValid(headers: IncomingHttpHeaders, { etag, modified }: Representation): boolean {
  const condition = headers['if-range']
  if (condition === undefined) return true
  return condition === etag || Date.parse(String(condition)) === modified.getTime()
}
