# SPDX-License-Identifier: GPL-2.0-only
"""
Local fakes of clouds' APIs: enough of each for what netpas-cloud asks, strict about it (unknown
actions, missing parameters, wrong signatures and stale conditions are refused as the provider
would), and with faults on demand. Signatures are checked from the raw request, by code that has
nothing in common with the one under test.
"""
import hashlib
import hmac
import json
import random
import socket
import ssl
import struct
import threading
import time
import urllib.parse
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.path, _, self.query = target.partition("?")
        self.args = dict(urllib.parse.parse_qsl(self.query, keep_blank_values=True))

    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    def json(self):
        return json.loads(self.body)


class Refused(Exception):
    """status, code, message: in the provider's own form of an error"""


class Fault:
    """What happens to requests of this action, so many times."""

    def __init__(self, kind, action="", times=1, seconds=0.0):
        self.kind, self.action, self.times, self.seconds = kind, action, times, seconds


class Cloud:
    """Of one provider; subclasses have action(), handle(), error() and what tests ask."""

    writes = ()  # actions that change something

    def __init__(self):
        self.lock = threading.RLock()
        self.faults = []
        self.log = []  # (action, status)
        self.secrets = set()
        self.delay = 0.0  # of every request, at random up to this
        self.keys = {}  # or tokens that were given out: what they are good for
        self.serial = 0  # of the last of them
        self.lying = False  # says "done", and does nothing

    def fault(self, kind, action="", times=1, seconds=0.0):
        with self.lock:
            self.faults.append(Fault(kind, action, times, seconds))

    def take_fault(self, action):
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and fault.action in action:
                    fault.times -= 1
                    return fault
        return None

    def expire(self):
        with self.lock:
            self.keys.clear()

    def count(self, *actions):
        with self.lock:
            return sum(1 for a, _ in self.log if a in actions)

    def serve(self, request):
        """-> (status, headers, body) or a fault's name"""
        action = self.action(request)
        fault = self.take_fault(action)
        if self.delay:
            time.sleep(random.uniform(0, self.delay))
        kind = fault.kind if fault else None
        if kind in ("reset", "silence"):
            with self.lock:
                self.log.append((action, kind))
            if kind == "silence":
                time.sleep(fault.seconds)
            return "reset"
        if kind == "delay":
            time.sleep(fault.seconds)
        with self.lock:
            try:
                if kind == "throttle":
                    raise Refused(*self.throttled)
                if kind == "broken":
                    raise Refused(500, "InternalError", "An internal error has occurred")
                if kind == "lie":
                    self.lying = True
                answer = self.handle(request, action)
            except Refused as refused:
                answer = self.error(*refused.args)
            finally:
                self.lying = False
            self.log.append((action, answer[0]))
        if kind == "late":  # done, and said too late
            time.sleep(fault.seconds)
        if kind == "half":
            return ("half",) + answer
        if kind == "throttle":
            answer[1]["Retry-After"] = "1"
        return answer


def serve(cloud, tls=None, address="127.0.0.1", port=0):
    """-> (server, port)"""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        disable_nagle_algorithm = True  # head and body are two writes

        def log_message(self, *args):
            pass

        def do(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            headers = {k.lower(): v for k, v in self.headers.items()}
            answer = cloud.serve(Request(self.command, self.path, headers, body))
            if answer == "reset":
                # With nothing sent a close would be a tidy end: this makes it a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            half = answer[0] == "half"
            status, headers, body = answer[1:] if half else answer
            data = body if isinstance(body, bytes) else body.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:len(data) // 2] if half else data)
            if half:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do

        def handle(self):
            try:
                super().handle()
            except (OSError, ValueError):
                pass

        def finish(self):
            try:
                super().finish()
            except (OSError, ValueError):
                pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 32

        def handle_error(self, request, address):
            pass

    server = Server((address, port), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, server.server_address[1]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def hmac256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def parse_authorization(text, separator):
    """"ALGORITHM A=1, B=2" -> (algorithm, {"A": "1", ...})"""
    algorithm, _, rest = text.partition(" ")
    return algorithm, dict(p.strip().split("=", 1) for p in rest.split(separator))


def canonical_headers(request, names):
    return "".join("%s:%s\n" % (n, request.headers[n].strip()) for n in names)


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def need(condition, status, code, message):
    if not condition:
        raise Refused(status, code, message)
