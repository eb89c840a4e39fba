import { expect, it } from 'vitest'
import { formatBytes, formatDuration, parseDuration } from '../../../src/core/quantity.ts'

it.each([
  ['250ms', 250],
  ['25s', 25_000],
  ['1.5s', 1500],
  ['10m', 600_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
])('parseDuration reads %s as %i ms', (text, expected) => {
  expect(parseDuration(text)).toBe(expected)
})

it.each(['', '10', 's', '-1s', '1 s', '1e3s', '1w', '1s1s', '1.2345s'])('parseDuration refuses %j', text => {
  expect(parseDuration(text)).toBeUndefined()
})

it.each([
  [0, '0 ms'],
  [840.4, '840 ms'],
  [2400, '2.4 s'],
  [185_000, '3 m 05 s'],
  [3_599_600, '1 h 00 m'],
  [9_030_000, '2 h 31 m'],
  [86_400_000, '1 d 0 h'],
  [30.25 * 86_400_000, '30 d 6 h'],
])('formatDuration writes %d ms as %s', (durationMs, expected) => {
  expect(formatDuration(durationMs)).toBe(expected)
})

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1434, '1.4 KiB'],
  [39_007_027, '37.2 MiB'],
  [2 ** 50, '1024.0 TiB'],
])('formatBytes writes %d as %s', (sizeBytes, expected) => {
  expect(formatBytes(sizeBytes)).toBe(expected)
})
