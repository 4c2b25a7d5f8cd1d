# SPDX-License-Identifier: GPL-2.0-only
"""Google Compute Engine's routes, and tokens of the machine's service account."""
import json
import re

from fake import Cloud, need

ROOT = "/compute/v1/projects/acme/global/routes"
HOPS = {"172.16.1.2": "fra-a", "172.16.1.3": "fra-b"}
ITEMS = ("10.2.0.0/16", "10.3.0.0/16")


class Gcp(Cloud):
    writes = ("POST", "DELETE")
    claim_action, assert_action = "POST", "DELETE"
    read_action = "GET"
    throttled = (429, "rateLimitExceeded", "Rate Limit Exceeded")

    def __init__(self, nodes):
        super().__init__()
        self.routes = {"default-route-1": {"name": "default-route-1", "destRange": "0.0.0.0/0",
                                           "priority": 1000}}

    def config(self, node, base):
        return {"provider": "gcp",
                "words": {"project": "acme", "network": "default", "endpoint": base,
                          "metadata": base + "/md/" + node},
                "items": [{"kind": "routes", "prefix": p} for p in ITEMS]}

    def holders(self):
        """Flows are spread over all routes to a prefix that are there."""
        with self.lock:
            held = set()
            for prefix in ITEMS:
                hops = {HOPS.get(r["nextHopIp"]) for r in self.routes.values()
                        if r["destRange"] == prefix}
                held |= hops or {None}
            return held

    def claims(self):
        with self.lock:
            result = {}
            for route in self.routes.values():
                if route.get("description", "").startswith("netpas:fra:"):
                    node = route["description"].split(":")[2]
                    generation = int(route["name"].split("-")[2])
                    result[node] = max(generation, result.get(node, 0))
            return result

    def put_claim(self, node, generation):
        """Needs the names that the adapter gives: FNV-1a of site, network and prefix."""
        def fnv(value, text):
            for byte in text.encode() + b"/":
                value = (value ^ byte) * 0x100000001b3 % 2 ** 64
            return value
        start = 0xcbf29ce484222325
        with self.lock:
            for prefix in ITEMS:
                value = fnv(fnv(fnv(start, "fra"), "default"), prefix)
                name = "netpas-%016x-%d-%08x" % (value, generation, fnv(start, node) >> 32)
                hop = {v: k for k, v in HOPS.items()}[node]
                self.routes[name] = {"name": name, "destRange": prefix, "nextHopIp": hop,
                                     "description": "netpas:fra:" + node, "priority": 900}

    def steal(self):
        """The other one's route of an earlier claim appears, as a late request would make it."""
        with self.lock:
            if self.claims():
                self.put_claim("fra-b", 1)

    def action(self, request):
        return "metadata" if request.path.startswith("/md/") else request.method

    def error(self, status, code, message):
        return status, {"Content-Type": "application/json"}, json.dumps(
            {"error": {"code": status, "message": message, "errors": [{"reason": code}]}})

    def handle(self, request, action):
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        if action == "metadata":
            _, _, node, rest = request.path.split("/", 3)
            need(request.headers.get("metadata-flavor") == "Google", 403, "forbidden", "no header")
            need(rest == "computeMetadata/v1/instance/service-accounts/default/token", 404,
                 "notFound", rest)
            self.serial += 1
            token = "ya29.%s.%d" % (node, self.serial)
            self.keys[token] = node
            self.secrets.add(token)
            return 200, headers, json.dumps(
                {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        need(scheme == "Bearer" and token in self.keys, 401, "authError",
             "Invalid Credentials: " + token)
        operation = json.dumps({"kind": "compute#operation", "status": "PENDING", "name": "op-1"})
        if request.method == "GET":
            need(request.path == ROOT, 404, "notFound", request.path)
            names = sorted(self.routes)
            start = int(request.args.get("pageToken", "0"))
            page = {"kind": "compute#routeList",
                    "items": [self.routes[n] for n in names[start:start + 2]]}
            if start + 2 < len(names):
                page["nextPageToken"] = str(start + 2)
            return 200, headers, json.dumps(page)
        if request.method == "POST":
            need(request.path == ROOT, 404, "notFound", request.path)
            body = request.json()
            need(re.fullmatch("[a-z]([-a-z0-9]{0,61}[a-z0-9])?", body["name"]), 400, "invalid",
                 "name")
            need(body["network"] == "projects/acme/global/networks/default" and
                 body["nextHopIp"] in HOPS and 0 <= body["priority"] <= 65535 and
                 body["destRange"] in ITEMS and body["description"], 400, "invalid", "body")
            need(body["name"] not in self.routes, 409, "alreadyExists", "already exists")
            if not self.lying:
                self.routes[body["name"]] = body
            return 200, headers, operation
        name = request.path[len(ROOT) + 1:]
        need(request.method == "DELETE" and name in self.routes, 404, "notFound", name)
        if not self.lying:
            del self.routes[name]
        return 200, headers, operation
