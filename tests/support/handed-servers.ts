import path from 'node:path'
import { needTool } from './tools.ts'

/** A server of applications that takes its listening sockets from whoever starts it. */
export interface HandedServer {
  readonly name: string
  readonly isHere: boolean
  /** The service in a recipe. */
  readonly service: object
  /**
   * What becomes of connections that are kept when it is told to end. `finished`: what comes on them is answered, with `Connection: close`.
   * `closed`: a request that is on its way there is lost. `none`: it keeps none, and says so.
   */
  readonly kept: 'finished' | 'closed' | 'none'
  /** Tried in the ordinary suite; the others in the long one. */
  readonly isSample: boolean
}

const support = import.meta.dirname
const environment = { VERSION: '${version}', PYTHONPATH: support, PYTHONDONTWRITEBYTECODE: '1' }

const gunicorn = needTool('gunicorn')

/** Servers as Debian has them, each started as a recipe would. What they promise is told in recipes/HANDOVER.md. */
export const handedServers: readonly HandedServer[] = [
  server('node', { kept: 'finished', command: [process.execPath, path.join(support, 'toy-app.ts')] }),
  server('node, server.close()', { kept: 'closed', command: [process.execPath, path.join(support, 'hasty-app.mjs')] }),
  server('gunicorn', {
    isHere: gunicorn,
    isSample: true,
    kept: 'none',
    command: ['gunicorn', '--workers=2', 'handed-app:application'],
  }),
  server('gunicorn, threads', {
    isHere: gunicorn,
    kept: 'closed',
    command: ['gunicorn', '--worker-class=gthread', '--threads=32', 'handed-app:application'],
  }),
  server('uvicorn', {
    isHere: needTool('uvicorn'),
    isSample: true,
    kept: 'closed',
    command: ['uvicorn', '--fd=3', '--no-access-log', 'handed-app:asgi'],
  }),
  server('uwsgi', {
    isHere: needTool('uwsgi', 'uwsgi_python3'),
    isSample: true,
    kept: 'closed',
    command: [
      'uwsgi',
      '--plugin=python3',
      // With `http` it ends each connection after an answer that does not say so.
      '--protocol=http11',
      '--module=handed-app',
      '--master',
      // A connection that is kept has one of them to itself.
      '--processes=12',
      '--disable-logging',
      // It ends them in the middle of requests unless it is told otherwise. Source: uWSGI documentation, Hooks.
      '--hook-master-start=unix_signal:15 gracefully_kill_them_all',
      '--hook-accepting=unix_signal:15 gracefully_kill',
    ],
  }),
  server('python', {
    isHere: needTool('python3'),
    isSample: true,
    kept: 'finished',
    command: ['python3', path.join(support, 'handed-app.py')],
  }),
]

function server(
  name: string,
  {
    command,
    kept,
    isHere = true,
    isSample = false,
  }: { readonly command: readonly string[] } & Pick<HandedServer, 'kept'> & Partial<HandedServer>,
): HandedServer {
  return { name, isHere, isSample, kept, service: { command, environment } }
}
