"""One JSON line a request, for whoever wants to know where the time went: COUCH_REQUEST_LOG=FILE before `couch up`."""

import json
import time
from pathlib import Path

from couch_explorers.local.asgi import Application, Message, Receive, Send, Tap


def logged(application: Application, file: Path) -> Application:
    """The application, with `{"start", "end", "method", "path", "status"}` written for each request; times in Unix seconds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    output = file.open("a", encoding="utf-8", buffering=1)

    async def log(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        line = {"method": scope["method"], "path": scope["path"], "start": time.time(), "status": 0}

        async def notice(message: Message, pass_on: Send) -> None:
            if message["type"] == "http.response.start":
                line["status"] = message["status"]
            await pass_on(message)

        try:
            await application(scope, receive, Tap(send, notice).send)
        finally:
            output.write(json.dumps(line | {"end": time.time()}) + "\n")

    return log
