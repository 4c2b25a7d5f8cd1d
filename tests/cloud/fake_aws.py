# SPDX-License-Identifier: GPL-2.0-only
"""Amazon EC2 (Query API of 2016-11-15) and the instance metadata service, version 2."""
import time
from datetime import datetime, timezone
from xml.sax.saxutils import escape

from fake import Cloud, canonical_headers, hmac256, iso, need, parse_authorization, sha256


class Aws(Cloud):
    writes = ("CreateTags", "ReplaceRoute", "CreateRoute", "AssignPrivateIpAddresses",
              "AssociateAddress")
    claim_action, assert_action = "CreateTags", "ReplaceRoute"
    read_action = "DescribeRouteTables"
    throttled = (503, "RequestLimitExceeded", "Request limit exceeded.")

    def __init__(self, nodes):
        super().__init__()
        self.nodes = nodes
        self.tags = {}  # (resource, key) -> value
        self.routes = {("rtb-1", "10.2.0.0/16"): "eni-other", ("rtb-2", "10.2.0.0/16"): "eni-other",
                       ("rtb-2", "fd00:10:2::/48"): None}
        self.addresses = {"172.16.1.254": "eni-other"}
        self.public = {"eipalloc-1": None}
        self.imds = {}

    def config(self, node, base):
        return {
            "provider": "aws",
            "words": {"region": "eu-central-1", "interface": "eni-" + node, "endpoint": base,
                      "metadata": base + "/md/" + node},
            "items": [{"kind": "routes", "id": "rtb-2", "prefix": "10.2.0.0/16"},
                      {"kind": "routes", "id": "rtb-1", "prefix": "10.2.0.0/16"},
                      {"kind": "routes", "id": "rtb-2", "prefix": "fd00:10:2::/48"},
                      {"kind": "addresses", "id": "172.16.1.254"},
                      {"kind": "public", "id": "eipalloc-1"}],
        }

    def holders(self):
        with self.lock:
            held = list(self.routes.values()) + list(self.addresses.values()) + \
                list(self.public.values())
            return {h[4:] if h else None for h in held}

    def claims(self, site="fra"):
        with self.lock:
            return {k[1].split(":")[2]: int(v) for k, v in self.tags.items()
                    if k[1].startswith("netpas:%s:" % site)}

    def put_claim(self, node, generation):
        with self.lock:
            self.tags[("rtb-1", "netpas:fra:" + node)] = str(generation)

    def steal(self):
        with self.lock:
            self.routes[("rtb-1", "10.2.0.0/16")] = "eni-other"

    # ---- requests ----

    def action(self, request):
        if request.path.startswith("/md/"):
            return "metadata"
        return request.form().get("Action", "none") if request.method == "POST" else "none"

    def error(self, status, code, message):
        return status, {"Content-Type": "text/xml"}, (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>%s</Code>'
            "<Message>%s</Message></Error></Errors><RequestID>r</RequestID></Response>"
            % (code, escape(message)))

    def handle(self, request, action):
        if action == "metadata":
            return self.metadata(request)
        need(request.method == "POST" and request.path == "/", 404, "NotFound", "no such page")
        self.check_signature(request)
        form = request.form()
        need(form.get("Version") == "2016-11-15", 400, "NoSuchVersion", "version")
        method = getattr(self, "do_" + action, None)
        need(method, 400, "InvalidAction", "The action %s is not valid" % action)
        return 200, {"Content-Type": "text/xml;charset=UTF-8"}, (
            '<?xml version="1.0" encoding="UTF-8"?>\n<%sResponse xmlns="http://ec2.amazonaws.com/'
            'doc/2016-11-15/"><requestId>r-1</requestId>%s</%sResponse>'
            % (action, method(form), action))

    def metadata(self, request):
        _, _, node, rest = request.path.split("/", 3)
        if request.method == "PUT" and rest == "latest/api/token":
            need(int(request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "0")) > 0,
                 400, "", "")
            self.serial += 1
            self.imds["imds-token-%d" % self.serial] = node
            return 200, {}, "imds-token-%d" % self.serial
        need(self.imds.get(request.headers.get("x-aws-ec2-metadata-token")) == node, 401, "", "")
        role = "netpas-role"
        if rest == "latest/meta-data/iam/security-credentials/":
            return 200, {}, role
        need(rest == "latest/meta-data/iam/security-credentials/" + role, 404, "", "")
        self.serial += 1
        key = "ASIA%016d" % self.serial
        secret, token = "secret/of+%s=%d" % (node, self.serial), "session//token+%d==" % self.serial
        self.keys[key] = (secret, token, node)
        self.secrets |= {secret, token}
        return 200, {}, (
            '{"Code":"Success","LastUpdated":"%s","Type":"AWS-HMAC","AccessKeyId":"%s",'
            '"SecretAccessKey":"%s","Token":"%s","Expiration":"%s"}'
            % (iso(time.time()), key, secret, token, iso(time.time() + 3600)))

    def check_signature(self, request):
        algorithm, fields = parse_authorization(request.headers.get("authorization", ""), ",")
        need(algorithm == "AWS4-HMAC-SHA256", 401, "AuthFailure", "algorithm")
        key, date, region, service, end = fields["Credential"].split("/")
        need((region, service, end) == ("eu-central-1", "ec2", "aws4_request"), 401, "AuthFailure",
             "scope")
        need(key in self.keys, 401, "AuthFailure", "AWS was not able to validate the provided access credentials")
        secret, token, _ = self.keys[key]
        need(request.headers.get("x-amz-security-token") == token, 401, "AuthFailure", "token")
        names = fields["SignedHeaders"].split(";")
        need(names == sorted(names) and {"host", "x-amz-date", "x-amz-security-token"} <= set(names),
             401, "SignatureDoesNotMatch", "headers")
        at = request.headers["x-amz-date"]
        age = time.time() - datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(
            tzinfo=timezone.utc).timestamp()
        need(at[:8] == date and abs(age) < 300, 400, "RequestExpired", "date")
        canonical = "\n".join([request.method, request.path, request.query,
                               canonical_headers(request, names), fields["SignedHeaders"],
                               sha256(request.body)])
        scope = "/".join([date, region, service, end])
        text = "\n".join([algorithm, at, scope, sha256(canonical.encode())])
        signing = ("AWS4" + secret).encode()
        for step in (date, region, service, end):
            signing = hmac256(signing, step)
        # As the provider does: the answer repeats what was signed, the token included.
        need(hmac256(signing, text).hex() == fields["Signature"], 403, "SignatureDoesNotMatch",
             "The request signature we calculated does not match. The canonical string: " + canonical)

    @staticmethod
    def listed(form, name):
        n, values = 1, []
        while "%s.%d" % (name, n) in form:
            values.append(form["%s.%d" % (name, n)])
            n += 1
        need(values, 400, "MissingParameter", name)
        return values

    def do_DescribeTags(self, form):
        need(form["Filter.1.Name"] == "resource-id", 400, "InvalidParameterValue", "filter")
        return "<tagSet>%s</tagSet>" % "".join(
            "<item><resourceId>%s</resourceId><resourceType>route-table</resourceType>"
            "<key>%s</key><value>%s</value></item>" % (r, escape(k), escape(v))
            for (r, k), v in sorted(self.tags.items()) if r == form["Filter.1.Value.1"])

    def do_CreateTags(self, form):
        need(form["ResourceId.1"] in ("rtb-1", "rtb-2"), 400, "InvalidID", form["ResourceId.1"])
        if not self.lying:
            self.tags[(form["ResourceId.1"], form["Tag.1.Key"])] = form["Tag.1.Value"]
        return "<return>true</return>"

    def do_DescribeRouteTables(self, form):
        text = ""
        for table in self.listed(form, "RouteTableId"):
            need(table in ("rtb-1", "rtb-2"), 400, "InvalidRouteTableID.NotFound", table)
            routes = "<item><destinationCidrBlock>172.16.0.0/16</destinationCidrBlock>" \
                "<gatewayId>local</gatewayId><state>active</state></item>"
            for (t, prefix), eni in self.routes.items():
                if t == table and eni:
                    field = "destinationIpv6CidrBlock" if ":" in prefix else "destinationCidrBlock"
                    routes += "<item><%s>%s</%s><networkInterfaceId>%s</networkInterfaceId>" \
                        "<state>active</state></item>" % (field, prefix, field, eni)
            text += "<item><routeTableId>%s</routeTableId><routeSet>%s</routeSet></item>" % (
                table, routes)
        return "<routeTableSet>%s</routeTableSet>" % text

    def route_of(self, form):
        return form["RouteTableId"], form.get("DestinationCidrBlock") or \
            form["DestinationIpv6CidrBlock"]

    def do_ReplaceRoute(self, form):
        key = self.route_of(form)
        need(self.routes.get(key), 400, "InvalidParameterValue",
             "There is no route defined for '%s' in the route table. Use CreateRoute instead." % key[1])
        if not self.lying:
            self.routes[key] = form["NetworkInterfaceId"]
        return "<return>true</return>"

    def do_CreateRoute(self, form):
        key = self.route_of(form)
        need(not self.routes.get(key), 400, "RouteAlreadyExists", key[1])
        self.routes[key] = form["NetworkInterfaceId"]
        return "<return>true</return>"

    def do_DescribeNetworkInterfaces(self, form):
        (eni,) = self.listed(form, "NetworkInterfaceId")
        held = ["172.16.1.2"] + [a for a, e in self.addresses.items() if e == eni]
        return "<networkInterfaceSet><item><networkInterfaceId>%s</networkInterfaceId>" \
            "<privateIpAddressesSet>%s</privateIpAddressesSet></item></networkInterfaceSet>" % (
                eni, "".join("<item><privateIpAddress>%s</privateIpAddress></item>" % a
                             for a in held))

    def do_AssignPrivateIpAddresses(self, form):
        need(form.get("AllowReassignment") == "true", 400, "InvalidParameterValue",
             "already assigned")
        if not self.lying:
            self.addresses[form["PrivateIpAddress.1"]] = form["NetworkInterfaceId"]
        return "<networkInterfaceId>%s</networkInterfaceId>" % form["NetworkInterfaceId"]

    def do_DescribeAddresses(self, form):
        return "<addressesSet>%s</addressesSet>" % "".join(
            "<item><allocationId>%s</allocationId>%s</item>" % (
                a, "<networkInterfaceId>%s</networkInterfaceId>" % self.public[a]
                if self.public[a] else "")
            for a in self.listed(form, "AllocationId"))

    def do_AssociateAddress(self, form):
        need(form.get("AllowReassociation") == "true", 400, "Resource.AlreadyAssociated", "busy")
        if not self.lying:
            self.public[form["AllocationId"]] = form["NetworkInterfaceId"]
        return "<return>true</return><associationId>eipassoc-1</associationId>"
