# SPDX-License-Identifier: GPL-2.0-only
"""Alibaba Cloud's VPC API (2016-04-28, signature V3) and the ECS metadata service."""
import hashlib
import hmac
import json
import time
from datetime import datetime, timezone

from fake import Cloud, canonical_headers, iso, need, parse_authorization, sha256


class Alibaba(Cloud):
    writes = ("TagResources", "ModifyRouteEntry", "CreateRouteEntry", "AssociateHaVip",
              "UnassociateHaVip")
    claim_action, assert_action = "TagResources", "ModifyRouteEntry"
    read_action = "DescribeRouteEntryList"
    throttled = (429, "Throttling.User", "Request was denied due to user flow control.")

    def __init__(self, nodes):
        super().__init__()
        self.tags = {}
        self.routes = {("vtb-1", "10.2.0.0/16"): "eni-other", ("vtb-2", "10.3.0.0/16"): None}
        self.havips = {"havip-1": ["eni-other"]}
        self.imds, self.nonces = {}, set()

    def config(self, node, base):
        other = "fra-b" if node == "fra-a" else "fra-a"
        return {"provider": "alibaba",
                "words": {"region": "cn-hangzhou", "interface": "eni-" + node,
                          "partner": "eni-" + other, "endpoint": base,
                          "metadata": base + "/md/" + node},
                "items": [{"kind": "routes", "id": "vtb-2", "prefix": "10.3.0.0/16"},
                          {"kind": "routes", "id": "vtb-1", "prefix": "10.2.0.0/16"},
                          {"kind": "havips", "id": "havip-1"}]}

    def holders(self):
        with self.lock:
            held = list(self.routes.values()) + [h for h in self.havips["havip-1"]
                                                 if h != "eni-other"]
            return {h[4:] if h else None for h in held}

    def claims(self):
        with self.lock:
            return {k[1].split(":")[2]: int(v) for k, v in self.tags.items()}

    def put_claim(self, node, generation):
        with self.lock:
            self.tags[("vtb-1", "netpas:fra:" + node)] = str(generation)

    def steal(self):
        with self.lock:
            self.routes[("vtb-1", "10.2.0.0/16")] = "eni-other"

    def action(self, request):
        if request.path.startswith("/md/"):
            return "metadata"
        return request.headers.get("x-acs-action", "none")

    def error(self, status, code, message):
        return status, {"Content-Type": "application/json"}, json.dumps(
            {"RequestId": "r", "HostId": "vpc", "Code": code, "Message": message})

    def handle(self, request, action):
        if action == "metadata":
            return self.metadata(request)
        self.check_signature(request)
        need(request.headers.get("x-acs-version") == "2016-04-28", 400, "InvalidVersion", "version")
        need(request.args.get("RegionId") == "cn-hangzhou", 400, "MissingRegionId", "region")
        method = getattr(self, "do_" + action, None)
        need(method, 404, "InvalidAction.NotFound", action)
        return 200, {"Content-Type": "application/json;charset=utf-8"}, json.dumps(
            dict(method(request.args) or {}, RequestId="r-1"))

    def metadata(self, request):
        _, _, node, rest = request.path.split("/", 3)
        self.serial += 1
        if request.method == "PUT" and rest == "latest/api/token":
            need(int(request.headers.get("x-aliyun-ecs-metadata-token-ttl-seconds", "0")) > 0,
                 400, "", "")
            self.imds["ecs-token-%d" % self.serial] = node
            return 200, {}, "ecs-token-%d" % self.serial
        need(self.imds.get(request.headers.get("x-aliyun-ecs-metadata-token")) == node, 403, "", "")
        root = "latest/meta-data/ram/security-credentials/"
        if rest == root:
            return 200, {}, "NetpasRole"
        need(rest == root + "NetpasRole", 404, "", "")
        key, secret, token = ("STS.%d" % self.serial, "ram-secret/%s+%d" % (node, self.serial),
                              "CAIS/token+%d==" % self.serial)
        self.keys[key] = (secret, token)
        self.secrets |= {secret, token}
        return 200, {}, json.dumps(
            {"AccessKeyId": key, "AccessKeySecret": secret, "SecurityToken": token,
             "Expiration": iso(time.time() + 3600), "Code": "Success"})

    def check_signature(self, request):
        algorithm, fields = parse_authorization(request.headers.get("authorization", ""), ",")
        need(algorithm == "ACS3-HMAC-SHA256", 400, "SignatureNonce", "algorithm")
        need(fields["Credential"] in self.keys, 404, "InvalidAccessKeyId.NotFound",
             "Specified access key is not found.")
        secret, token = self.keys[fields["Credential"]]
        names = fields["SignedHeaders"].split(";")
        need(names == sorted(names) and {"host", "x-acs-action", "x-acs-content-sha256",
                                         "x-acs-date", "x-acs-security-token",
                                         "x-acs-signature-nonce", "x-acs-version"} == set(names),
             400, "IncompleteSignature", "headers")
        need(request.headers["x-acs-security-token"] == token, 400,
             "InvalidSecurityToken.Malformed", "token")
        need(request.headers["x-acs-content-sha256"] == sha256(request.body), 400, "BodyHash", "")
        age = time.time() - datetime.strptime(
            request.headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(
                tzinfo=timezone.utc).timestamp()
        need(abs(age) < 900, 400, "InvalidTimeStamp.Expired", "date")
        nonce = request.headers["x-acs-signature-nonce"]
        need(nonce not in self.nonces, 400, "SignatureNonceUsed", "nonce")
        self.nonces.add(nonce)
        pairs = request.query.split("&")
        need(pairs == sorted(pairs), 400, "Query", "not in order")
        canonical = "\n".join([request.method, request.path, request.query,
                               canonical_headers(request, names), fields["SignedHeaders"],
                               sha256(request.body)])
        text = algorithm + "\n" + sha256(canonical.encode())
        good = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        need(good == fields["Signature"], 400, "SignatureDoesNotMatch",
             "Specified signature does not match our calculation. Server string is " + canonical)

    def do_DescribeRouteEntryList(self, args):
        key = (args["RouteTableId"], args["DestinationCidrBlock"])
        need(key[0] in ("vtb-1", "vtb-2"), 404, "InvalidRouteTableId.NotFound", key[0])
        eni = self.routes.get(key)
        entries = [] if not eni else [{
            "RouteEntryId": "rte-" + key[0], "DestinationCidrBlock": key[1], "Type": "Custom",
            "Status": "Available", "NextHops": {"NextHop": [
                {"NextHopId": eni, "NextHopType": "NetworkInterface"}]}}]
        return {"RouteEntrys": {"RouteEntry": entries}}

    def do_ModifyRouteEntry(self, args):
        need(args["NewNextHopType"] == "NetworkInterface", 400, "InvalidNextHopType", "type")
        for key in self.routes:
            if "rte-" + key[0] == args["RouteEntryId"]:
                need(self.routes[key], 404, "InvalidRouteEntry.NotFound", "none")
                if not self.lying:
                    self.routes[key] = args["NewNextHopId"]

    def do_CreateRouteEntry(self, args):
        key = (args["RouteTableId"], args["DestinationCidrBlock"])
        need(args["NextHopType"] == "NetworkInterface" and not self.routes.get(key), 400,
             "RouterEntryConflict.Duplicated", "there")
        self.routes[key] = args["NextHopId"]

    def do_DescribeHaVips(self, args):
        need(args["Filter.1.Key"] == "HaVipId", 400, "InvalidFilterKey", "filter")
        name = args["Filter.1.Value.1"]
        return {"HaVips": {"HaVip": [
            {"HaVipId": name, "Status": "InUse", "AssociatedInstanceType": "NetworkInterface",
             "AssociatedInstances": {"associatedInstance": self.havips[name]}}]},
            "TotalCount": 1, "PageNumber": 1, "PageSize": 10}

    def do_AssociateHaVip(self, args):
        need(args["InstanceType"] == "NetworkInterface", 400, "InvalidInstanceType", "type")
        need(args["InstanceId"] not in self.havips[args["HaVipId"]], 400, "OperationFailed", "is")
        if not self.lying:
            self.havips[args["HaVipId"]].append(args["InstanceId"])

    def do_UnassociateHaVip(self, args):
        need(args["InstanceId"] in self.havips[args["HaVipId"]], 400, "OperationFailed", "is not")
        if not self.lying:
            self.havips[args["HaVipId"]].remove(args["InstanceId"])

    def do_ListTagResources(self, args):
        need(args["ResourceType"] == "ROUTETABLE", 400, "InvalidResourceType", "type")
        return {"TagResources": {"TagResource": [
            {"ResourceType": "ROUTETABLE", "ResourceId": r, "TagKey": k, "TagValue": v}
            for (r, k), v in self.tags.items() if r == args["ResourceId.1"]]}}

    def do_TagResources(self, args):
        need(args["ResourceType"] == "ROUTETABLE", 400, "InvalidResourceType", "type")
        if not self.lying:
            self.tags[(args["ResourceId.1"], args["Tag.1.Key"])] = args["Tag.1.Value"]
