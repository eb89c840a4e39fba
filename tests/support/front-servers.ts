import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { askHaproxy } from '../../src/gate/drivers/haproxy-runtime.ts'
import { reloadNginx } from '../../src/gate/drivers/nginx-process.ts'
import { untilListening } from './ports.ts'
import { until } from './toy-prefix.ts'

/** A HAProxy or nginx of Debian that stands in front of something, as its own user where we are root. */
export interface FrontServer {
  /** Start it. Pre: the files that its configuration names are there. Post: it listens. */
  readonly start: () => Promise<void>
  /** End it at once, without a word to anybody. */
  readonly kill: () => Promise<void>
  /** Have it read its configuration again. Post: whoever accepts has read it. */
  readonly reload: () => Promise<void>
  /** The process group of all of its processes. Pre: it was started. */
  readonly group: () => number
}

const isRoot = process.geteuid?.() === 0

/** The group of its processes. */
export function groupOf(server: 'haproxy' | 'nginx'): string {
  if (!isRoot) return execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim()
  return server === 'haproxy' ? 'haproxy' : 'www-data'
}

/** Where the HAProxy of a folder locks itself up; only root can do that. */
export function jailOf(folder: string): string | undefined {
  if (!isRoot) return undefined
  const jail = path.join(folder, 'jail')
  fs.mkdirSync(jail, { recursive: true })
  return jail
}

/** Have a HAProxy with a configuration besides its section `global`. */
export function haproxyServer(folder: string, port: number, configuration: () => string): FrontServer {
  fs.chmodSync(folder, 0o711)
  const socket = path.join(folder, 'admin.sock')
  const file = path.join(folder, 'haproxy.cfg')
  const jail = jailOf(folder)
  const own = jail === undefined ? '' : `    user haproxy\n    group haproxy\n    chroot ${jail}\n`
  const pid = async () => /^Pid: (\d+)$/m.exec(await askHaproxy(socket, 'show info'))?.[1]
  return running(port, {
    argv: ['haproxy', '-W', '-db', '-f', file],
    prepare: () => {
      const text = `global\n    stats socket ${socket} mode 660 level admin\n${own}${configuration()}`
      fs.writeFileSync(file, text)
      execFileSync('haproxy', ['-c', '-q', '-f', file], { stdio: 'pipe' })
    },
    reload: async child => {
      const before = await pid()
      // One that comes while it begins is lost.
      const telling = setInterval(() => child.kill('SIGUSR2'), 500)
      child.kill('SIGUSR2')
      await until(async () => (await pid().catch(() => before)) !== before).finally(() => clearInterval(telling))
    },
  })
}

/** The argv that checks an nginx of {@link nginxServer}, and writes its configuration out. */
export function nginxCheck(folder: string): readonly string[] {
  return ['nginx', '-T', '-q', '-e', path.join(folder, 'error.log'), '-c', path.join(folder, 'nginx.conf')]
}

/** Have an nginx with a configuration of its `http` context. */
export function nginxServer(folder: string, port: number, http: () => string): FrontServer {
  fs.chmodSync(folder, 0o711)
  const file = path.join(folder, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    each => `${each}_temp_path ${folder}/${each};`,
  )
  return running(port, {
    argv: ['nginx', '-e', path.join(folder, 'error.log'), '-c', file],
    prepare: () => {
      const text = `${isRoot ? 'user www-data;\n' : ''}daemon off;\nworker_processes 2;\npid ${folder}/nginx.pid;\nevents { }\nhttp {\n${temporary.join('\n')}\naccess_log off;\n${http()}}\n`
      fs.writeFileSync(file, text)
      execFileSync('nginx', nginxCheck(folder).slice(1), { stdio: 'pipe' })
    },
    reload: () => reloadNginx(path.join(folder, 'nginx.pid')),
  })
}

interface Runner {
  readonly argv: readonly [string, ...string[]]
  readonly prepare: () => void
  readonly reload: (child: ChildProcess) => Promise<void>
}

function running(port: number, { argv, prepare, reload }: Runner): FrontServer {
  let child: ChildProcess | undefined
  return {
    start: async () => {
      prepare()
      child = spawn(argv[0], argv.slice(1), { stdio: 'ignore', detached: true })
      await untilListening(port)
    },
    kill: async () => {
      const ended = child
      if (ended === undefined) return
      child = undefined
      await new Promise<void>(resolve => {
        ended.once('close', () => resolve())
        // With its workers, which would go on without it.
        process.kill(-ended.pid!, 'SIGKILL')
      })
    },
    reload: () => reload(child!),
    group: () => child!.pid!,
  }
}
