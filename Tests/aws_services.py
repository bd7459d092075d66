"""Amazon's token services on loopback: EC2 metadata, container credentials, the single sign-on portal, STS.

They hand out one set of temporary keys, count who asked for what, and answer nobody who does not say what each protocol wants to hear.
"""

import contextlib
import datetime
import http.server
import json
import threading
import urllib.parse

SESSION = "canary-metadata-session"


def later(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class AWSServices:
    """What the services give out and what they want."""

    def __init__(self, access_key, secret_key, token):
        self.keys = {"AccessKeyId": access_key, "SecretAccessKey": secret_key}
        self.token = token
        self.lifetime = 3600
        #: What a container, a web identity and a person must show.
        self.container_token = "canary-container"
        self.web_token = "canary-web-identity"
        self.sso_token = "canary-single-sign-on"
        #: What was asked for, in order.
        self.calls = []
        #: Called before each answer with credentials; may change what they are.
        self.on_call = lambda: None

    def document(self):
        return {"Code": "Success", **self.keys, "Token": self.token, "Expiration": later(self.lifetime)}

    def answer(self, method, url, headers, body):
        """Status, body."""
        path, query = urllib.parse.urlsplit(url).path, urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
        form = urllib.parse.parse_qs(body.decode())
        if path == "/latest/api/token":
            if method != "PUT" or "x-aws-ec2-metadata-token-ttl-seconds" not in headers:
                return 400, ""
            self.calls.append("instance-session")
            return 200, SESSION
        if path.startswith("/latest/meta-data/"):
            if headers.get("x-aws-ec2-metadata-token") != SESSION:
                return 401, ""
            if path == "/latest/meta-data/iam/security-credentials/":
                return 200, "machine-role"
            if path == "/latest/meta-data/iam/security-credentials/machine-role":
                return self.give("instance", self.document())
            return 404, ""
        if path == "/container":
            if headers.get("Authorization") != self.container_token:
                return 401, json.dumps({"code": "AccessDenied", "message": self.container_token})
            return self.give("container", self.document())
        if path == "/federation/credentials":
            if headers.get("x-amz-sso_bearer_token") != self.sso_token:
                return 401, json.dumps({"message": "Session token not found or invalid"})
            self.asked = (query["account_id"][0], query["role_name"][0])
            expiration = int((datetime.datetime.now().timestamp() + self.lifetime) * 1000)
            return self.give(
                "portal",
                {"roleCredentials": {
                    "accessKeyId": self.keys["AccessKeyId"], "secretAccessKey": self.keys["SecretAccessKey"],
                    "sessionToken": self.token, "expiration": expiration,
                }},
            )
        if path == "/token" and method == "POST":
            wanted = {"clientId": "client", "clientSecret": "canary-client", "grantType": "refresh_token", "refreshToken": "canary-refresh"}
            if json.loads(body) != wanted:
                return 400, json.dumps({"error": "invalid_grant"})
            self.calls.append("renewal")
            return 200, json.dumps({"accessToken": self.sso_token, "expiresIn": 28800, "refreshToken": "canary-next"})
        if path == "/" and form.get("Action") == ["AssumeRoleWithWebIdentity"]:
            if form["WebIdentityToken"] != [self.web_token] or "Authorization" in headers:
                return 400, self.error("InvalidIdentityToken", "no: " + form["WebIdentityToken"][0])
            self.asked = (form["RoleArn"][0], form["RoleSessionName"][0])
            return self.give("web-identity", self.assumed("AssumeRoleWithWebIdentity"))
        if path == "/" and form.get("Action") == ["AssumeRole"]:
            if "Authorization" not in headers:
                return 403, self.error("MissingAuthenticationToken", "not signed")
            self.asked = (form["RoleArn"][0], form.get("ExternalId", [""])[0])
            return self.give("role", self.assumed("AssumeRole"))
        return 404, ""

    def give(self, call, answer):
        self.calls.append(call)
        self.on_call()
        return 200, answer if isinstance(answer, str) else json.dumps(answer)

    def assumed(self, action):
        credentials = f"""<AccessKeyId>{self.keys['AccessKeyId']}</AccessKeyId><SecretAccessKey>{self.keys['SecretAccessKey']}
            </SecretAccessKey><SessionToken>{self.token}</SessionToken><Expiration>{later(self.lifetime)}</Expiration>"""
        credentials = "".join(line.strip() for line in credentials.splitlines())
        return f"<{action}Response><{action}Result><Credentials>{credentials}</Credentials></{action}Result></{action}Response>"

    @staticmethod
    def error(code, message):
        return f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


@contextlib.contextmanager
def running(services):
    """Serves until the block ends; gives the base URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, text = services.answer(self.command, self.path, self.headers, body)
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
