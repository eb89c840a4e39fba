/*
 * Loaded into the notes service before it: it has no tunnels of its own, and a gate is to be seen with some. What asks for an upgrade gets
 * one, and back what it sends.
 */
import http from 'node:http'

const emit = http.Server.prototype.emit
http.Server.prototype.emit = function (name, ...args) {
  if (name === 'listening')
    this.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      socket.on('error', () => socket.destroy())
      socket.pipe(socket)
    })
  return emit.call(this, name, ...args)
}
