import http from 'node:http'

/* A service as most are written: on SIGTERM it calls `server.close()`, which closes idle connections at once. */
const version = process.env.VERSION
const server = http.createServer((request, response) => {
  let sizeBytes = 0
  request.on('data', piece => {
    sizeBytes += piece.length
  })
  request.on('end', () => {
    response.setHeader('x-version', version)
    const answer = () =>
      response.end(request.url === '/health' ? `version ${version}` : JSON.stringify({ version, bytes: sizeBytes }))
    if (request.url.startsWith('/slow')) setTimeout(answer, 500)
    else answer()
  })
})
server.listen({ fd: 3 })
process.on('SIGTERM', () => server.close(() => process.exit(0)))
