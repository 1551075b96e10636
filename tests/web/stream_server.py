"""The product's api under its real server, with one stream that never has news: `python stream_server.py PORT`."""

from __future__ import annotations

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
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
