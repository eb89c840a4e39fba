import http from 'node:http'

/* A service with several sockets, which answers with the name of the one that was asked. Source: sd_listen_fds_with_names(3). */
const names = process.env.LISTEN_FDNAMES.split(':')
if (process.env.LISTEN_PID !== String(process.pid) || Number(process.env.LISTEN_FDS) !== names.length) process.exit(1)
const servers = names.map((name, index) => {
  const server = http.createServer((request, response) => {
    response.setHeader('connection', 'close')
    response.end(request.url === '/health' ? `version ${process.env.VERSION}` : name)
  })
  return server.listen({ fd: 3 + index })
})
process.on('SIGTERM', () => {
  for (const server of servers) server.close()
})
