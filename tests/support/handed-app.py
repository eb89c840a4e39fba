"""An application that is given its listening sockets: for WSGI servers, for ASGI servers, and on its own with Python's http.server."""
import asyncio
import os
import time

VERSION = os.environ.get("VERSION", "unknown")


def answer(path, size_bytes):
    body = b"version " + VERSION.encode() if path == "/health" else b'{"version":"%s","bytes":%d}' % (VERSION.encode(), size_bytes)
    return body, [("Content-Length", str(len(body))), ("X-Version", VERSION)]


def application(environ, start_response):
    size_bytes = int(environ.get("CONTENT_LENGTH") or 0)
    size_bytes = len(environ["wsgi.input"].read(size_bytes)) if size_bytes else 0
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.5)
    body, fields = answer(environ["PATH_INFO"], size_bytes)
    start_response("200 OK", fields)
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    size_bytes, more = 0, True
    while more:
        message = await receive()
        size_bytes += len(message.get("body", b""))
        more = message.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    body, fields = answer(scope["path"], size_bytes)
    headers = [(name.lower().encode(), value.encode()) for name, value in fields]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def alone():
    import select
    import signal
    import socket
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def handle(self):
            self.close_connection = False
            while not self.close_connection and self.is_asked():
                self.handle_one_request()

        def is_asked(self):
            """Wait for a request: once we are to end, no longer than a client on a busy machine may take to send it."""
            quiet_s = 0
            while quiet_s < 3.5:
                if select.select([self.connection], [], [], 0.05)[0]:
                    return True
                quiet_s = quiet_s + 0.05 if stopping.is_set() else 0
            return False

        def do_GET(self):
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.split("?")[0]
            if path == "/slow":
                time.sleep(0.5)
            body, fields = answer(path, len(sent))
            self.send_response(200)
            for name, value in fields:
                self.send_header(name, value)
            if stopping.is_set():
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    # Source: sd_listen_fds(3).
    assert os.environ["LISTEN_PID"] == str(os.getpid())
    stopping = threading.Event()
    servers = []
    for descriptor in range(3, 3 + int(os.environ["LISTEN_FDS"])):
        handed = socket.socket(fileno=descriptor)
        server = ThreadingHTTPServer(handed.getsockname(), Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = handed
        server.daemon_threads = False
        servers.append(server)
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    stopping.wait()
    for server in servers:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    alone()
