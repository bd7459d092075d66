"""The HTTP server of every service that tests stand in for: one function from what was asked to what is answered."""

import contextlib
import dataclasses
import http.server
import json
import socket
import threading
import urllib.parse


@dataclasses.dataclass
class Asked:
    """One request that arrived; the names of headers are in lower case."""

    method: str
    path: str
    query: dict
    headers: dict
    body: bytes

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self):
        return json.loads(self.body or b"{}")


class Connections(http.server.ThreadingHTTPServer):
    """Remembers who is connected, as clients that keep connections must see it end."""

    def server_activate(self):
        self.open = []
        super().server_activate()

    def process_request(self, request, client_address):
        self.open.append(request)
        super().process_request(request, client_address)

    def end(self):
        self.shutdown()
        self.server_close()
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class LoopbackServer:
    """Serves on a free port of loopback until it is closed.

    `answer` gets what was asked and gives the status, headers and body: bytes, text, or a document that becomes JSON.
    """

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                url = urllib.parse.urlsplit(self.path)
                status, headers, body = answer(Asked(
                    self.command, url.path, dict(urllib.parse.parse_qsl(url.query)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(int(self.headers.get("content-length") or 0)),
                ))
                headers = {name.lower(): value for name, value in headers.items()}
                if not isinstance(body, (bytes, str)):
                    headers.setdefault("content-type", "application/json")
                    body = json.dumps(body)
                data = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = serve

            def log_message(self, *_):
                pass

        self.server = Connections(("127.0.0.1", 0), Handler)
        self.authority = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.authority}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
