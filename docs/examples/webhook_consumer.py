"""A receiver of webhooks: checks the signature, drops repetitions, answers quickly.

    pip install standardwebhooks
    WEBHOOK_SECRET=whsec_… python docs/examples/webhook_consumer.py 8099

A real one keeps the ids it has seen in its database, in the same transaction as what it does with the event.
"""

import os
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

LARGEST = 65_536


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    judge: Webhook
    seen: set[str] = set()

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", 0))
        if size > LARGEST:
            self.close_connection = True
            self.reply(413)
            return
        body = self.rfile.read(size)
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            event = self.judge.verify(body.decode(), headers)
        except (WebhookVerificationError, ValueError):
            self.reply(400)
            return
        if headers["webhook-id"] not in self.seen:
            self.seen.add(headers["webhook-id"])
            print(f"verified #{event['sequence']} {event['type']} {event['data']}", flush=True)
        self.reply(204)

    def reply(self, status: int) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The events speak for themselves."""


def main() -> None:
    Receiver.judge = Webhook(os.environ["WEBHOOK_SECRET"])
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8099
    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    print(f"listening at http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
