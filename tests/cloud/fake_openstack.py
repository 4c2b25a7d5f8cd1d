# SPDX-License-Identifier: GPL-2.0-only
"""Keystone's tokens for application credentials, and Neutron's ports."""
import copy
import json
import os
import tempfile
import time

from fake import Cloud, iso, need

VIPS = ("172.16.1.254", "172.16.1.253")


class Openstack(Cloud):
    writes = ("PUT tags", "PUT port")
    claim_action, assert_action = "PUT tags", "PUT port"
    read_action = "GET port"
    throttled = (429, "OverLimit", "This request was rate-limited.")

    def __init__(self, nodes):
        super().__init__()
        self.ports = {"port-" + n: {
            "id": "port-" + n, "revision_number": 1, "tags": ["blue"],
            "allowed_address_pairs": [{"ip_address": "10.9.9.0/24", "mac_address": "02:00:00:00:00:01"}],
        } for n in nodes}
        self.credentials = {}
        self.dir = tempfile.mkdtemp()
        for node in nodes:
            secret = "application-secret-of-" + node
            self.credentials["id-" + node] = secret
            self.secrets.add(secret)
            path = os.path.join(self.dir, node + ".json")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                json.dump({"id": "id-" + node, "secret": secret}, file)

    def config(self, node, base):
        other = "fra-b" if node == "fra-a" else "fra-a"
        self.base = base
        return {"provider": "openstack",
                "words": {"identity": base + "/v3", "interface": "port-" + node,
                          "partner": "port-" + other, "region": "RegionOne",
                          "credentials": os.path.join(self.dir, node + ".json")},
                "items": [{"kind": "addresses", "id": v} for v in VIPS]}

    def holders(self):
        with self.lock:
            held = set()
            for vip in VIPS:
                ports = {p["id"][5:] for p in self.ports.values()
                         if any(a["ip_address"] == vip for a in p["allowed_address_pairs"])}
                held |= ports or {None}
            return held

    def claims(self):
        with self.lock:
            return {t.split(":")[2]: int(t.split(":")[1]) for p in self.ports.values()
                    for t in p["tags"] if t.startswith("netpas:")}

    def put_claim(self, node, generation):
        with self.lock:
            port = self.ports["port-" + node]
            port["tags"] = ["blue", "netpas:%d:%s" % (generation, node)]
            port["revision_number"] += 1

    def steal(self):
        with self.lock:
            for port in self.ports.values():
                port["allowed_address_pairs"] = [a for a in port["allowed_address_pairs"]
                                                 if a["ip_address"] != VIPS[0]]
                port["revision_number"] += 1

    def action(self, request):
        if request.path == "/v3/auth/tokens":
            return "token"
        return request.method + (" tags" if request.path.endswith("/tags") else " port")

    def error(self, status, code, message):
        return status, {"Content-Type": "application/json"}, json.dumps(
            {"NeutronError": {"type": code, "message": message, "detail": ""}})

    def handle(self, request, action):
        headers = {"Content-Type": "application/json"}
        if action == "token":
            identity = request.json()["auth"]["identity"]
            need(identity["methods"] == ["application_credential"], 400, "bad", "methods")
            given = identity["application_credential"]
            need(self.credentials.get(given["id"]) == given["secret"], 401, "Unauthorized",
                 "The request you have made requires authentication: " + given["secret"])
            self.serial += 1
            token = "gAAAAAB-%s-%d" % (given["id"], self.serial)
            self.keys[token] = given["id"]
            self.secrets.add(token)
            headers["X-Subject-Token"] = token
            base = self.base.replace("http:", "https:") if "https" in request.headers.get(
                "host", "") else self.base
            return 201, headers, json.dumps({"token": {
                "expires_at": iso(time.time() + 3600).replace("Z", ".000000Z"),
                "catalog": [
                    {"type": "compute", "endpoints": []},
                    {"type": "network", "endpoints": [
                        {"interface": "internal", "region_id": "RegionOne", "url": "http://10.0.0.1"},
                        {"interface": "public", "region_id": "RegionTwo", "url": "https://10.0.0.2"},
                        {"interface": "public", "region_id": "RegionOne",
                         "url": base + "/network/"}]}]}})
        need(request.headers.get("x-auth-token") in self.keys, 401, "Unauthorized",
             "token " + request.headers.get("x-auth-token", ""))
        need(request.path.startswith("/network/v2.0/ports/"), 404, "NotFound", request.path)
        name, _, tail = request.path[len("/network/v2.0/ports/"):].partition("/")
        need(name in self.ports and tail in ("", "tags"), 404, "PortNotFound", name)
        port = self.ports[name]
        if request.method == "GET":
            return 200, headers, json.dumps({"port": port})
        need(request.method == "PUT", 405, "NotAllowed", request.method)
        body = request.json()
        if tail == "tags":
            need("blue" in body["tags"] and all(len(t) <= 60 for t in body["tags"]), 400,
                 "InvalidInput", "tags")
            if not self.lying:
                port["tags"] = body["tags"]
                port["revision_number"] += 1
            return 200, headers, json.dumps(body)
        condition = request.headers.get("if-match", "")
        need(condition, 400, "NoCondition", "this test wants every write to be conditional")
        need(condition == "revision_number=%d" % port["revision_number"], 412,
             "RevisionNumberConstraintFailed", "Constrained to %s, but current revision is %d" % (
                 condition, port["revision_number"]))
        pairs = copy.deepcopy(body["port"]["allowed_address_pairs"])
        need(list(body["port"]) == ["allowed_address_pairs"] and
             any(p["ip_address"] == "10.9.9.0/24" for p in pairs), 400, "Damaged",
             "what is not ours has changed")
        if not self.lying:
            port["allowed_address_pairs"] = [
                dict(p, mac_address=p.get("mac_address", "02:00:00:00:00:02")) for p in pairs]
            port["revision_number"] += 1
        return 200, headers, json.dumps({"port": port})
