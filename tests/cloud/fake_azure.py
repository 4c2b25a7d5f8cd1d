# SPDX-License-Identifier: GPL-2.0-only
"""Azure Resource Manager's route tables, and tokens of the machine's identity."""
import copy
import json
import time

from fake import Cloud, need

ROOT = "/subscriptions/0000-1/resourceGroups/rg/providers/Microsoft.Network/routeTables/"
HOPS = {"fra-a": ("172.16.1.2", "fd00:16:1::2"), "fra-b": ("172.16.1.3", "fd00:16:1::3")}


class Azure(Cloud):
    writes = ("PUT",)
    claim_action = assert_action = "PUT"
    read_action = "GET"
    throttled = (429, "TooManyRequests", "Too many requests.")
    atomic = True  # a claim and what it asserts are one request

    def __init__(self, nodes):
        super().__init__()
        self.tables = {}
        self.version = 0
        self.updating = {}  # table -> until when
        for name in ("table-1", "table-2"):
            self.tables[name] = {
                "name": name, "id": ROOT + name, "location": "westeurope",
                "tags": {"owner": "somebody"},
                "properties": {"disableBgpRoutePropagation": True, "routes": [
                    self.route("default", "0.0.0.0/0", "Internet", None),
                    self.route("mesh", "10.2.0.0/16", "VirtualAppliance", "172.16.1.9")]}}
            self.touch(name)

    @staticmethod
    def route(name, prefix, kind, hop):
        properties = {"addressPrefix": prefix, "nextHopType": kind}
        if hop:
            properties["nextHopIpAddress"] = hop
        return {"name": name, "properties": properties}

    def touch(self, name):
        self.version += 1
        self.tables[name]["etag"] = 'W/"%08x-0000"' % self.version

    def config(self, node, base):
        return {"provider": "azure",
                "words": {"subscription": "0000-1", "group": "rg", "endpoint": base,
                          "metadata": base + "/md/" + node},
                "items": [{"kind": "routes", "id": "table-2", "prefix": "10.2.0.0/16"},
                          {"kind": "routes", "id": "table-1", "prefix": "10.2.0.0/16"},
                          {"kind": "routes", "id": "table-1", "prefix": "fd00:10:2::/48"}]}

    def holders(self):
        with self.lock:
            held = []
            for table, prefix in (("table-1", "10.2.0.0/16"), ("table-1", "fd00:10:2::/48"),
                                  ("table-2", "10.2.0.0/16")):
                hops = [r["properties"].get("nextHopIpAddress")
                        for r in self.tables[table]["properties"]["routes"]
                        if r["properties"]["addressPrefix"] == prefix]
                held.append(hops[0] if hops else None)
            owner = {hop: node for node, hops in HOPS.items() for hop in hops}
            return {owner.get(h, h) for h in held}

    def claims(self):
        with self.lock:
            return {k.split(":")[2]: int(v) for k, v in self.tables["table-1"]["tags"].items()
                    if k.startswith("netpas:fra:")}

    def put_claim(self, node, generation):
        with self.lock:
            self.tables["table-1"]["tags"]["netpas:fra:" + node] = str(generation)
            self.touch("table-1")

    def steal(self):
        with self.lock:
            for route in self.tables["table-2"]["properties"]["routes"]:
                if route["name"] == "mesh":
                    route["properties"]["nextHopIpAddress"] = "172.16.1.9"
            self.touch("table-2")

    def action(self, request):
        return "metadata" if request.path.startswith("/md/") else request.method

    def error(self, status, code, message):
        return status, {"Content-Type": "application/json"}, json.dumps(
            {"error": {"code": code, "message": message, "details": []}})

    def handle(self, request, action):
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if action == "metadata":
            _, _, node, rest = request.path.split("/", 3)
            need(request.headers.get("metadata") == "true", 400, "bad_request", "no header")
            need(rest == "metadata/identity/oauth2/token" and
                 request.args.get("resource") == "https://management.azure.com/" and
                 request.args.get("api-version") == "2018-02-01", 400, "invalid_request", "query")
            self.version += 1
            token = "eyJ0eXAiOiJKV1Qi.%s.%d" % (node, self.version)
            self.keys[token] = node
            self.secrets.add(token)
            return 200, headers, json.dumps(
                {"access_token": token, "expires_on": str(int(time.time()) + 3600),
                 "resource": "https://management.azure.com/", "token_type": "Bearer"})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        need(scheme == "Bearer" and token in self.keys, 401, "InvalidAuthenticationToken",
             "The access token is invalid: " + token)
        need(request.args.get("api-version") == "2023-09-01", 400, "InvalidApiVersion", "version")
        name = request.path[len(ROOT):]
        need(request.path.startswith(ROOT) and name in self.tables, 404, "ResourceNotFound", name)
        table = self.tables[name]
        if request.method == "GET":
            answer = copy.deepcopy(table)
            busy = self.updating.get(name, 0) > time.time()
            answer["properties"]["provisioningState"] = "Updating" if busy else "Succeeded"
            answer["properties"]["subnets"] = [{"id": "/subnets/1"}]
            return 200, headers, json.dumps(answer)
        need(request.method == "PUT", 405, "MethodNotAllowed", request.method)
        given = request.headers.get("if-match")
        need(given, 400, "NoCondition", "this test wants every write to be conditional")
        need(given == table["etag"], 412, "PreconditionFailed", "Etag provided in if-match header "
             "%s does not match etag %s of resource" % (given, table["etag"]))
        need(self.updating.get(name, 0) <= time.time(), 429, "RetryableError", "in progress")
        body = request.json()
        need(body["location"] == "westeurope" and body["tags"]["owner"] == "somebody" and
             body["properties"]["disableBgpRoutePropagation"] is True and
             body["properties"]["routes"][0]["name"] == "default", 400, "Damaged",
             "what is not ours has changed")
        for route in body["properties"]["routes"]:
            p = route["properties"]
            need((p["nextHopType"] == "VirtualAppliance") == ("nextHopIpAddress" in p), 400,
                 "InvalidRoute", route["name"])
        if not self.lying:
            self.tables[name] = {k: body[k] for k in ("name", "id", "location", "tags", "properties")}
            self.touch(name)
            self.updating[name] = time.time() + 0.1
        return 200, headers, json.dumps(body)
