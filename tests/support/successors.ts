import fs from 'node:fs'
import path from 'node:path'

/** Another cutover to upgrade to, that does not what it should: it is started as a successor is, with the channel as `process`. */
export function faultyCutover(folder: string, code: string): string {
  const file = path.join(folder, 'cutover.mjs')
  fs.writeFileSync(file, code)
  return file
}

/** Whether a process runs, and is not one that waits for its parent to notice its end. */
export function isAlive(pid: number): boolean {
  return fs.existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

/** Processes that serve a prefix, or are to. */
export function servingProcesses(root: string): readonly number[] {
  return fs
    .readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => {
      const words = commandOf(pid).split('\0')
      return words.includes('serve') && words.includes(root) && isAlive(pid)
    })
}

function commandOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // It has ended meanwhile.
    return ''
  }
}
