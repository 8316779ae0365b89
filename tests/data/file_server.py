"""A web server for one file at a time, in a thread, that can cut, refuse and change what it serves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FileServer:
    """What the server serves, and what was asked of it.

    Attributes:
        files: content by path, such as ``/a.csv``.
        cuts: after how many bytes each of the next answers is cut.
        status: what every answer is, if not None.
        ranges: whether parts of a file are served.
        tag: the version that it tells, if any.
        asked: the Range header of each request, or None.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.status: int | None = None
        self.ranges = True
        self.tag: str | None = '"one"'
        self.asked: list[str | None] = []
        self.address = ""

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"{self.address}{path}"


@contextmanager
def file_server() -> Iterator[FileServer]:
    """Serve while the context lasts."""
    served = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, served)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(handler: BaseHTTPRequestHandler, served: FileServer) -> None:
    """Answer a request as `served` says."""
    wanted = handler.headers.get("Range")
    served.asked.append(wanted)
    content = served.files.get(handler.path)
    if served.status is not None or content is None:
        handler.send_error(served.status or 404)
        return
    start = 0
    if wanted is not None and served.ranges and handler.headers.get("If-Range") == served.tag:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(content)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
    handler.send_response(206 if start else 200)
    handler.send_header("Content-Length", str(len(content) - start))
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    if served.tag is not None:
        handler.send_header("ETag", served.tag)
    handler.end_headers()
    end = start + served.cuts.pop(0) if served.cuts else len(content)
    handler.wfile.write(content[start:end])
    handler.close_connection = True
