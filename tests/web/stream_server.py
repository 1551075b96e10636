"""The product's api under its real server, with one stream that never has news: `python stream_server.py FD`.

FD is a listening socket that it inherits: no port is chosen that somebody else may take before it is bound.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from fastapi import Request

from autorke.app import create_app
from autorke.web import sse

app = create_app()


@app.get("/quiet", response_class=sse.EventStream)
async def quiet(request: Request) -> sse.EventStream:
    return sse.stream(request, "quiet", lambda _cursor: [], None)


if __name__ == "__main__":
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
