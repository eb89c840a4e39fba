import fs from 'node:fs'
import path from 'node:path'
import { rotateLog } from '../sys/log-file.ts'
import type { DriverPlaces } from './driver.ts'

const largestLogBytes = 16 * 1024 * 1024
const logCheckMs = 30_000

/** Where the output of a service goes, whoever runs it. */
export function logFileOf({ logFolder }: Pick<DriverPlaces, 'logFolder'>, name: string): string {
  return path.join(logFolder, `${name}.log`)
}

/** Make a log that is not for everybody, before somebody else makes it. */
export function beginLog(file: string): void {
  fs.appendFileSync(file, '', { mode: 0o640 })
}

/** Keep a log small from now on. Returns what ends that. */
export function keepLogSmall(file: string): () => void {
  rotateLog(file, largestLogBytes)
  const timer = setInterval(() => rotateLog(file, largestLogBytes), logCheckMs)
  timer.unref()
  return () => clearInterval(timer)
}
