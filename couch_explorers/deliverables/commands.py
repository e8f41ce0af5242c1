"""Lines to paste into a shell: each tries one deliverable."""

from __future__ import annotations

import shlex

# The exam's own words to its client.
PROMPT = "me on top of a pyramid"
NEXT_LINE = " \\\n  "


def curl(api_url: str) -> str:
    """Ask the API for a picture: the body is the bare prompt."""
    words = ("-H 'Content-Type: text/plain'", f"-d {shlex.quote(PROMPT)}", shlex.quote(api_url))
    return NEXT_LINE.join(("curl -X POST", *words))


def send_message(queue_url: str, region: str, endpoint: str | None) -> str:
    """Put a prompt on the queue with the AWS CLI."""
    words = [f"--queue-url {shlex.quote(queue_url)}", f"--message-body {shlex.quote(PROMPT)}"]
    if endpoint:
        words.append(f"--endpoint-url {shlex.quote(endpoint)}")
    return NEXT_LINE.join((f"aws sqs send-message --region {region}", *words))


def docker_run(image: str, queue_url: str | None) -> str:
    """Put a prompt on the queue with the image, in the form that the exam gives."""
    url = shlex.quote(queue_url) if queue_url else "<SQS_QUEUE_URL>"
    keys = "docker run -e AWS_ACCESS_KEY_ID=xxx -e AWS_SECRET_ACCESS_KEY=yyy"
    return NEXT_LINE.join((keys, f"-e SQS_QUEUE_URL={url}", f'{image} "{PROMPT}"'))
