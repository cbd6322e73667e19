"""Requests whose bodies come part by part, which no client has to hold."""

import asyncio


async def knock(application, method, path, headers, parts, *, pause=0.0):
    """Status, headers and body of the answer, and how many bytes had been taken when it began."""
    taken, began, answer, parts = 0, None, {}, iter(parts)
    written = b""

    async def receive():
        nonlocal taken
        await asyncio.sleep(pause)
        part = next(parts, None)
        taken += len(part or b"")
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def send(message):
        nonlocal began, answer, written
        if message["type"] == "http.response.start":
            began, answer = taken, message
        written += message.get("body", b"")

    announced = {name for name, _ in headers} & {b"content-length", b"transfer-encoding"}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"testserver"), *headers, *([] if announced else [(b"transfer-encoding", b"chunked")])],
        "client": ("192.0.2.1", 5000),
        "server": ("testserver", 80),
        "http_version": "1.1",
    }
    await application(scope, receive, send)
    return answer["status"], dict(answer["headers"]), written, began
