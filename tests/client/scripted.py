"""A server that answers what a test says."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Answering(ThreadingHTTPServer):
    """Answers POSTs with `answers`, one after the other, and keeps the headers of all requests."""

    def __init__(self, answers: list[httpx.Response]) -> None:
        super().__init__(("127.0.0.1", 0), Scripted)
        self.answers, self.seen = answers, []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Scripted(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append(self.headers)
        answer = self.server.answers.pop(0)
        self.send_response_only(answer.status_code)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        pass


PROBLEM = {"content-type": "application/problem+json; charset=utf-8"}
DETAIL = json.dumps({"code": "busy", "detail": "Too much."})
FULL = httpx.Response(429, headers=PROBLEM, content=DETAIL)
AWAY = httpx.Response(503, headers=PROBLEM, content=DETAIL)
DONE = httpx.Response(200, content=json.dumps({"predictions": [{"value": 1}]}))
