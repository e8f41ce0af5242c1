"""Loaded by the local cloud's own Python: notes each call that somebody other than root was allowed, with the rights that it took.

A line of JSON a call, in the file that COUCH_RECORD_CALLS names. The calls are made again by test_account.py, without one of the rights.
"""

import json
import os
import re
from pathlib import Path

from couch_explorers.local.engine.patches import iam

check = iam.check_call


def check_and_note(service, context, credentials):
    check(service, context, credentials)
    if credentials.principal.kind == "Root":
        return
    call = {
        # AWS_SDK_UA_APP_ID of the program that called; a service that calls for somebody has none.
        "program": "".join(re.findall(r"\bapp/(\S+)", context.request.headers.get("User-Agent", ""))),
        "principal": credentials.principal.issuer or credentials.principal.arn,
        "service": service,
        "region": context.region,
        "operation": context.operation.name,
        "parameters": as_json(dict(context.service_request or {})),
        "permissions": [
            [permission.action, *permission.resources]
            for permission in iam.permissions_of(service, context, credentials.principal)
        ],
    }
    with Path(os.environ["COUCH_RECORD_CALLS"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(call) + "\n")


def as_json(value):
    """What JSON has of a parameter: a time is written, a stream left out, bytes become a few."""
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items() if each is not None and not hasattr(each, "read")}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, bytes):
        return "bytes"
    return value if isinstance(value, str | int | float | bool) else str(value)


iam.check_call = check_and_note
