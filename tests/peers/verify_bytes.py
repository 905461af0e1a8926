"""Verifies one delivery as the specification of Standard Webhooks has it.

For bodies that are no text: the published packages read a body as text. Reads
{"secret", "headers", "body_base64"} from standard input; exits 0 if it verifies.
"""

import base64
import hashlib
import hmac
import json
import sys

case = json.load(sys.stdin)
headers = case["headers"]
key = base64.b64decode(case["secret"].removeprefix("whsec_"))
head = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
digest = hmac.new(key, head + base64.b64decode(case["body_base64"]), hashlib.sha256).digest()
wanted = "v1," + base64.b64encode(digest).decode()
if wanted not in headers["webhook-signature"].split(" "):
    sys.exit("WebhookVerificationError")
