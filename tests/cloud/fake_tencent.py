# SPDX-License-Identifier: GPL-2.0-only
"""Tencent Cloud's VPC API (2017-03-12, TC3-HMAC-SHA256) and the CVM metadata service."""
import hmac
import hashlib
import json
import time
from datetime import datetime, timezone

from fake import Cloud, canonical_headers, hmac256, need, parse_authorization, sha256

HOPS = {"172.16.1.2": "fra-a", "172.16.1.3": "fra-b"}


class Tencent(Cloud):
    writes = ("ModifyNetworkInterfaceAttribute", "ReplaceRoutes", "CreateRoutes",
              "MigratePrivateIpAddress", "AssignPrivateIpAddresses")
    claim_action, assert_action = "ModifyNetworkInterfaceAttribute", "ReplaceRoutes"
    read_action = "DescribeRouteTables"
    throttled = (429, "RequestLimitExceeded", "Your current request times exceeds the limit.")

    def __init__(self, nodes):
        super().__init__()
        self.enis = {"eni-" + n: {"NetworkInterfaceId": "eni-" + n,
                                  "NetworkInterfaceDescription": "", "addresses": []}
                     for n in nodes}
        self.routes = {"rtb-1": {11: ["10.2.0.0/16", "NORMAL_CVM", "172.16.1.9"],
                                 12: ["0.0.0.0/0", "NAT", "nat-1"]}, "rtb-2": {}}
        self.serial = 100

    def config(self, node, base):
        other = "fra-b" if node == "fra-a" else "fra-a"
        return {"provider": "tencent",
                "words": {"region": "ap-guangzhou", "interface": "eni-" + node,
                          "partner": "eni-" + other, "endpoint": base,
                          "metadata": base + "/md/" + node},
                "items": [{"kind": "routes", "id": "rtb-2", "prefix": "10.2.0.0/16"},
                          {"kind": "routes", "id": "rtb-1", "prefix": "10.2.0.0/16"},
                          {"kind": "addresses", "id": "172.16.1.254"}]}

    def holders(self):
        with self.lock:
            held = set()
            for table in self.routes.values():
                hops = {HOPS.get(r[2], r[2]) for r in table.values() if r[0] == "10.2.0.0/16"}
                held |= hops or {None}
            held |= {e[4:] for e, eni in self.enis.items()
                     if "172.16.1.254" in eni["addresses"]} or {None}
            return held

    def claims(self):
        with self.lock:
            return {e["NetworkInterfaceDescription"].split(":")[2]:
                    int(e["NetworkInterfaceDescription"].split(":")[1])
                    for e in self.enis.values() if e["NetworkInterfaceDescription"]}

    def put_claim(self, node, generation):
        with self.lock:
            self.enis["eni-" + node]["NetworkInterfaceDescription"] = "netpas:%d:%s" % (
                generation, node)

    def steal(self):
        with self.lock:
            self.routes["rtb-1"][11][2] = "172.16.1.9"

    def action(self, request):
        if request.path.startswith("/md/"):
            return "metadata"
        return request.headers.get("x-tc-action", "none")

    def error(self, status, code, message):
        # As the provider does: an error, with a good status.
        return 200 if status < 500 else status, {"Content-Type": "application/json"}, json.dumps(
            {"Response": {"Error": {"Code": code, "Message": message}, "RequestId": "r"}})

    def handle(self, request, action):
        if action == "metadata":
            return self.metadata(request)
        self.check_signature(request)
        need(request.headers.get("x-tc-version") == "2017-03-12" and
             request.headers.get("x-tc-region") == "ap-guangzhou", 400, "InvalidParameter", "common")
        method = getattr(self, "do_" + action, None)
        need(method, 400, "InvalidAction", action)
        return 200, {"Content-Type": "application/json"}, json.dumps(
            {"Response": dict(method(request.json()) or {}, RequestId="r-1")})

    def metadata(self, request):
        _, _, node, rest = request.path.split("/", 3)
        root = "latest/meta-data/cam/security-credentials/"
        if rest == root:
            return 200, {}, "netpas_role"
        if rest != root + "netpas_role":
            return 404, {}, ""
        self.serial += 1
        key, secret, token = ("AKID%d" % self.serial, "cam-secret-%s-%d" % (node, self.serial),
                              "cam/token/%d==" % self.serial)
        self.keys[key] = (secret, token)
        self.secrets |= {secret, token}
        return 200, {}, json.dumps(
            {"TmpSecretId": key, "TmpSecretKey": secret, "Token": token, "Code": "Success",
             "ExpiredTime": int(time.time()) + 3600})

    def check_signature(self, request):
        algorithm, fields = parse_authorization(request.headers.get("authorization", ""), ",")
        need(algorithm == "TC3-HMAC-SHA256", 401, "AuthFailure.InvalidAuthorization", "algorithm")
        key, date, service, end = fields["Credential"].split("/")
        need(key in self.keys and (service, end) == ("vpc", "tc3_request"), 401,
             "AuthFailure.SecretIdNotFound", "The SecretId is not found.")
        secret, token = self.keys[key]
        need(request.headers.get("x-tc-token") == token, 401, "AuthFailure.TokenFailure", "token")
        at = int(request.headers["x-tc-timestamp"])
        need(abs(time.time() - at) < 300 and datetime.fromtimestamp(at, timezone.utc).strftime(
            "%Y-%m-%d") == date, 401, "AuthFailure.SignatureExpire", "date")
        names = fields["SignedHeaders"].split(";")
        need(names == sorted(names) and {"content-type", "host"} <= set(names), 401,
             "AuthFailure.InvalidAuthorization", "headers")
        canonical = "\n".join([request.method, request.path, request.query,
                               canonical_headers(request, names), fields["SignedHeaders"],
                               sha256(request.body)])
        text = "\n".join([algorithm, str(at), "/".join([date, service, end]),
                          sha256(canonical.encode())])
        signing = ("TC3" + secret).encode()
        for step in (date, service, end):
            signing = hmac256(signing, step)
        good = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
        need(good == fields["Signature"], 401, "AuthFailure.SignatureFailure",
             "The provided credentials could not be validated: " + canonical)

    def do_DescribeRouteTables(self, body):
        (name,) = body["RouteTableIds"]
        need(name in self.routes, 400, "InvalidRouteTableId.NotFound", name)
        return {"TotalCount": 1, "RouteTableSet": [{"RouteTableId": name, "RouteSet": [
            {"RouteId": i, "DestinationCidrBlock": r[0], "GatewayType": r[1], "GatewayId": r[2],
             "Enabled": True, "RouteType": "USER"} for i, r in self.routes[name].items()]}]}

    def do_ReplaceRoutes(self, body):
        for route in body["Routes"]:
            table = self.routes[body["RouteTableId"]]
            need(route["RouteId"] in table, 400, "ResourceNotFound", "route")
            need(route["GatewayType"] == "NORMAL_CVM" and route["GatewayId"] in HOPS, 400,
                 "InvalidParameterValue", "gateway")
            if not self.lying:
                table[route["RouteId"]] = [route["DestinationCidrBlock"], route["GatewayType"],
                                           route["GatewayId"]]

    def do_CreateRoutes(self, body):
        for route in body["Routes"]:
            self.serial += 1
            self.routes[body["RouteTableId"]][self.serial] = [
                route["DestinationCidrBlock"], route["GatewayType"], route["GatewayId"]]

    def do_DescribeNetworkInterfaces(self, body):
        return {"NetworkInterfaceSet": [
            {"NetworkInterfaceId": name,
             "NetworkInterfaceDescription": self.enis[name]["NetworkInterfaceDescription"],
             "PrivateIpAddressSet": [{"PrivateIpAddress": a, "Primary": False}
                                     for a in self.enis[name]["addresses"]]}
            for name in body["NetworkInterfaceIds"]]}

    def do_ModifyNetworkInterfaceAttribute(self, body):
        need(len(body["NetworkInterfaceDescription"]) <= 60, 400, "InvalidParameterValue", "long")
        if not self.lying:
            self.enis[body["NetworkInterfaceId"]]["NetworkInterfaceDescription"] = \
                body["NetworkInterfaceDescription"]

    def do_MigratePrivateIpAddress(self, body):
        source = self.enis[body["SourceNetworkInterfaceId"]]["addresses"]
        need(body["PrivateIpAddress"] in source, 400, "ResourceNotFound", "address")
        if not self.lying:
            source.remove(body["PrivateIpAddress"])
            self.enis[body["DestinationNetworkInterfaceId"]]["addresses"].append(
                body["PrivateIpAddress"])

    def do_AssignPrivateIpAddresses(self, body):
        for address in body["PrivateIpAddresses"]:
            need(not any(address["PrivateIpAddress"] in e["addresses"] for e in self.enis.values()),
                 400, "LimitExceeded.AddressInUse", "in use")
            self.enis[body["NetworkInterfaceId"]]["addresses"].append(address["PrivateIpAddress"])
