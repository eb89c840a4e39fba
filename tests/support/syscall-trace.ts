import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { tempFolder } from './temp.ts'

/** A system call of any process of a command, in the order in which they ended. */
export interface Syscall {
  readonly pid: number
  readonly name: string
  readonly args: readonly string[]
  /** The value it returned; -1 when it failed. */
  readonly result: number
  /** What strace says of the value: the path of a descriptor. */
  readonly resultPath: string | undefined
}

/** The calls that change files, make them durable, or say where a descriptor leads. */
const traced = [
  ...['/^open', 'creat$', 'dup', 'p?write', 'f?truncate', 'fsync', 'fdatasync', 'sync', 'rename', 'link', 'symlink'],
  ...['unlink', 'mkdir', 'rmdir', 'f?chmod', 'copy_file_range', 'sendfile', 'fallocate'],
].join('|^')

/**
 * Run a command and record what it and all that it starts ask of the system. Needs strace.
 *
 * Errors: of a command that does not end with `exitCode`, with what it wrote.
 */
export async function traceCommand(
  argv: readonly [string, ...string[]],
  options: { readonly exitCode?: number } = {},
): Promise<readonly Syscall[]> {
  const file = path.join(tempFolder(), 'trace')
  const flags = ['-f', '--seccomp-bpf', '-y', '-xx', '-s', '100000000', '-e', `trace=${traced}`, '-o', file]
  const end = await promisify(execFile)('strace', [...flags, ...argv], { maxBuffer: 1e9 }).then(
    output => ({ ...output, code: 0 }),
    (error: { readonly code: number; readonly stdout: string; readonly stderr: string }) => error,
  )
  if (end.code !== (options.exitCode ?? 0)) throw new Error(`${argv.join(' ')}: ${end.stdout}${end.stderr}`)
  return parseTrace(fs.readFileSync(file, 'latin1'))
}

/** Read what `strace -f -y -xx` wrote: those of threads that interleave are joined. */
export function parseTrace(text: string): readonly Syscall[] {
  const begun = new Map<string, string>()
  return text.split('\n').flatMap(line => {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (rest.endsWith('<unfinished ...>')) {
      begun.set(pid, rest.slice(0, -'<unfinished ...>'.length))
      return []
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const whole = resumed === null ? rest : `${begun.get(pid) ?? ''}${resumed[1]}`
    const call = /^(\w+)\((.*)\) += (-?\d+)(?:<(.*)>)?(?: .*)?$/.exec(whole)
    if (call === null) return []
    const [, name = '', args = '', result, resultPath] = call
    const where = resultPath === undefined ? undefined : decode(resultPath)
    return [{ pid: Number(pid), name, args: splitArguments(args), result: Number(result), resultPath: where }]
  })
}

/** Text is in hex, so brackets and commas are strace's own. */
function splitArguments(text: string): readonly string[] {
  const args: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!
    if ('[{'.includes(character)) depth += 1
    else if (']}'.includes(character)) depth -= 1
    else if (character === ',' && depth === 0) {
      args.push(text.slice(start, at).trim())
      start = at + 1
    }
  }
  return [...args, text.slice(start).trim()]
}

/** The bytes of an argument in quotes, or of several in a list (writev). */
export function bytesOf(argument: string): Buffer {
  const texts = argument.match(/"[^"]*"/g) ?? []
  return Buffer.concat(texts.map(text => Buffer.from(text.slice(1, -1).replaceAll('\\x', ''), 'hex')))
}

/** The path in quotes. */
export const textOf = (argument: string): string => bytesOf(argument).toString()

/** The paths that an argument names, in quotes or behind a descriptor. */
export function pathsIn(argument: string): readonly string[] {
  return [textOf(argument), descriptorOf(argument).path].filter(place => place !== '')
}

/** The number of a descriptor, and the path that it leads to; a descriptor's own path has no quotes. */
export function descriptorOf(argument: string): { readonly number: number; readonly path: string } {
  const [, number = '-1', where = ''] = /^(-?\d+|AT_FDCWD)<(.*)>$/.exec(argument) ?? []
  return { number: Number(number), path: decode(where) }
}

function decode(escaped: string): string {
  return escaped.replaceAll(/(?:\\x[0-9a-f]{2})+/g, hex => Buffer.from(hex.replaceAll('\\x', ''), 'hex').toString())
}
