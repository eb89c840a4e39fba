import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'

/* A service that tells what it was given, and misbehaves when asked to. On SOCKET, PORT or descriptor 3. */

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost')
  if (url.pathname === '/crash') process.exit(7)
  if (url.pathname === '/allocate') for (const kept = []; ; ) kept.push(Buffer.alloc(4 * 1024 * 1024, 1))
  if (url.pathname === '/spawn') return response.end(String(await spawnMany(Number(url.searchParams.get('count')))))
  const { uid, gid } = { uid: process.getuid(), gid: process.getgid() }
  const openFiles = /^Max open files +(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))?.[1]
  const secret = process.env.FILED_FILE === undefined ? undefined : fs.readFileSync(process.env.FILED_FILE, 'utf8')
  response.end(JSON.stringify({ uid, gid, openFiles: Number(openFiles), secret, environment: process.env }))
})

/** How many of so many processes could be started. */
async function spawnMany(count) {
  const started = await Promise.all(
    Array.from({ length: count }, async () => {
      const child = spawn('/bin/sleep', ['60'])
      const isStarted = await once(child, 'spawn').then(
        () => true,
        () => false,
      )
      child.kill('SIGKILL')
      return isStarted
    }),
  )
  return started.filter(each => each).length
}

const connections = new Set()
server.on('connection', socket => {
  connections.add(socket)
  socket.once('close', () => connections.delete(socket))
})

process.on('SIGTERM', () => {
  console.log('asked to end')
  if (process.env.STUBBORN === 'yes') return
  // Not http's own close, which cuts connections whose request is still on its way.
  net.Server.prototype.close.call(server)
  const end = () => connections.size === 0 && process.exit(0)
  for (const socket of connections) socket.once('close', end)
  end()
  // Who says nothing for this long may be cut.
  setTimeout(() => process.exit(0), 500)
})
console.log(`version ${process.env.VERSION} begins`)
if (process.env.LISTEN_PID === String(process.pid)) {
  // Which is which is told by their names alone.
  const names = process.env.LISTEN_FDNAMES.split(':')
  const others = http.createServer((_request, response) => response.end('admin'))
  for (const [index, name] of names.entries()) (name === 'http' ? server : others).listen({ fd: 3 + index })
  process.once('SIGTERM', () => others.close())
} else server.listen(process.env.SOCKET || { port: Number(process.env.PORT), host: '127.0.0.1' })
