"""Verifies one delivery with the PyPI package `standardwebhooks`.

Reads {"secret", "headers", "body_base64"} from standard input. Exits 0 if it verifies;
otherwise the name of the package's error is on standard error.
"""

import base64
import json
import sys

from standardwebhooks.webhooks import Webhook

case = json.load(sys.stdin)
body = base64.b64decode(case["body_base64"])
# Not every body is JSON: the signature is what is asked about.
Webhook(case["secret"]).verify(body, case["headers"], json_parse=False)
