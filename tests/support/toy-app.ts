import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'

/*
 * A service as a careful one is: it accepts on descriptor 3 when it gets a socket, else on PORT or SOCKET; on SIGTERM it stops accepting,
 * answers what still comes on open connections with `Connection: close`, and ends when they are gone. TOY makes it misbehave.
 */

const version = process.env['VERSION'] ?? 'unknown'
/** The role that it has, and a file of that role's folder, for those who look whether both belong together. */
const role = process.env['ROLE'] ?? 'none'
const dataFile = process.env['DATA_FILE']
const misbehaviour = process.env['TOY'] ?? ''
let stopping = false
/** When it began to accept, since 1970. */
let listeningMs = 0

const server = http.createServer((request, response) => {
  if (stopping) response.setHeader('connection', 'close')
  response.setHeader('x-version', version)
  response.setHeader('x-listening-ms', listeningMs)
  const url = new URL(request.url!, 'http://localhost')
  if (url.pathname === '/health') {
    response.statusCode = misbehaviour === 'unhealthy' ? 500 : 200
    response.end(`version ${version} role ${role}`)
  } else if (url.pathname === '/events') events(response)
  else if (url.pathname === '/slow') setTimeout(() => response.end('slow'), Number(url.searchParams.get('ms')))
  else if (url.pathname === '/crash') process.exit(7)
  else if (url.pathname === '/headers') response.end(JSON.stringify(request.rawHeaders))
  else echo(request, response)
})

function events(response: http.ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  let count = 0
  const timer = setInterval(() => response.write(`data: ${version} ${count++}\n\n`), 20)
  response.once('close', () => clearInterval(timer))
}

function echo(request: http.IncomingMessage, response: http.ServerResponse): void {
  if (misbehaviour === 'faulty') response.statusCode = 500
  const pieces: Buffer[] = []
  request.on('data', piece => pieces.push(piece))
  request.on('end', () => {
    const body = Buffer.concat(pieces)
    const data = dataFile === undefined ? undefined : fs.readFileSync(dataFile, 'utf8')
    response.end(JSON.stringify({ version, role, data, method: request.method, path: request.url, bytes: body.length }))
  })
}

server.on('upgrade', (_request, socket: net.Socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  socket.pipe(socket)
})

if (misbehaviour === 'exit') process.exit(3)
if (process.env['LISTEN_PID'] === String(process.pid)) server.listen({ fd: 3 })
else if (process.env['SOCKET']) server.listen(process.env['SOCKET'])
else server.listen(Number(process.env['PORT']), '127.0.0.1')

server.once('listening', () => {
  listeningMs = performance.timeOrigin + performance.now()
})

const connections = new Set<net.Socket>()
server.on('connection', socket => {
  connections.add(socket)
  socket.once('close', () => connections.delete(socket))
})

process.on('SIGTERM', () => {
  if (misbehaviour === 'stubborn') return
  stopping = true
  // Not http's own close, which cuts idle connections under their clients.
  net.Server.prototype.close.call(server)
  const check = () => connections.size === 0 && process.exit(0)
  for (const socket of connections) socket.once('close', check)
  check()
  // Who says nothing for this long may be cut.
  setTimeout(() => process.exit(0), 700)
})
