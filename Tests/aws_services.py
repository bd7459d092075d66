"""Amazon's token services on loopback: EC2 metadata, container credentials, the single sign-on portal, STS.

They hand out one set of temporary keys, count who asked for what, and answer nobody who does not say what each protocol wants to hear.
"""

import datetime

from loopback_server import LoopbackServer

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
        #: Where every request is sent on to, if anywhere.
        self.redirect = None
        #: Called before each answer with credentials; may change what they are.
        self.on_call = lambda: None

    def document(self):
        return {"Code": "Success", **self.keys, "Token": self.token, "Expiration": later(self.lifetime)}

    def serve(self):
        """Until the block ends; `url` says where."""
        return LoopbackServer(self.answer)

    def answer(self, asked):
        if self.redirect:
            return 307, {"location": self.redirect + asked.path}, ""
        status, body = self.reply(asked, asked.path, asked.headers)
        return status, {}, body

    def reply(self, asked, path, headers):
        """Status, body."""
        if path == "/latest/api/token":
            if asked.method != "PUT" or "x-aws-ec2-metadata-token-ttl-seconds" not in headers:
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
            if headers.get("authorization") != self.container_token:
                return 401, {"code": "AccessDenied", "message": self.container_token}
            return self.give("container", self.document())
        if path == "/federation/credentials":
            if headers.get("x-amz-sso_bearer_token") != self.sso_token:
                return 401, {"message": "Session token not found or invalid"}
            self.asked = (asked.query["account_id"], asked.query["role_name"])
            expiration = int((datetime.datetime.now().timestamp() + self.lifetime) * 1000)
            return self.give(
                "portal",
                {"roleCredentials": {
                    "accessKeyId": self.keys["AccessKeyId"], "secretAccessKey": self.keys["SecretAccessKey"],
                    "sessionToken": self.token, "expiration": expiration,
                }},
            )
        if path == "/token" and asked.method == "POST":
            wanted = {"clientId": "client", "clientSecret": "canary-client", "grantType": "refresh_token", "refreshToken": "canary-refresh"}
            if asked.json != wanted:
                return 400, {"error": "invalid_grant"}
            self.calls.append("renewal")
            return 200, {"accessToken": self.sso_token, "expiresIn": 28800, "refreshToken": "canary-next"}
        form = asked.form if path == "/" else {}
        if form.get("Action") == "AssumeRoleWithWebIdentity":
            if form["WebIdentityToken"] != self.web_token or "authorization" in headers:
                return 400, self.error("InvalidIdentityToken", "no: " + form["WebIdentityToken"])
            self.asked = (form["RoleArn"], form["RoleSessionName"])
            return self.give("web-identity", self.assumed("AssumeRoleWithWebIdentity"))
        if form.get("Action") == "AssumeRole":
            if "authorization" not in headers:
                return 403, self.error("MissingAuthenticationToken", "not signed")
            self.asked = (form["RoleArn"], form.get("ExternalId", ""))
            return self.give("role", self.assumed("AssumeRole"))
        return 404, ""

    def give(self, call, answer):
        self.calls.append(call)
        self.on_call()
        return 200, answer

    def assumed(self, action):
        credentials = f"""<AccessKeyId>{self.keys['AccessKeyId']}</AccessKeyId><SecretAccessKey>{self.keys['SecretAccessKey']}
            </SecretAccessKey><SessionToken>{self.token}</SessionToken><Expiration>{later(self.lifetime)}</Expiration>"""
        credentials = "".join(line.strip() for line in credentials.splitlines())
        return f"<{action}Response><{action}Result><Credentials>{credentials}</Credentials></{action}Result></{action}Response>"

    @staticmethod
    def error(code, message):
        return f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
