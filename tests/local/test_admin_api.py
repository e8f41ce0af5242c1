import asyncio
import json

import pytest

from couch_explorers.local.admin_api import AdminApi


def answer(administration, method, path):
    """The status and JSON with which it answers a request without a body."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(administration.answer(method, path, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_save_says_that_it_is_done():
    saved = []

    assert answer(AdminApi(None, lambda: saved.append(1), None), "POST", "/_couch/save") == (200, {"saved": True})
    assert saved == [1]


@pytest.mark.parametrize("error", [OSError("database or disk is full"), PermissionError("read-only")])
def test_save_that_the_disk_does_not_take_says_why(error):
    def save():
        raise error

    status, content = answer(AdminApi(None, save, None), "POST", "/_couch/save")

    assert status == 507
    assert content["error"].startswith(f"The state is not saved: {error}. The local cloud goes on")
