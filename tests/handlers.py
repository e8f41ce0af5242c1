"""What the tests of both Lambdas' handlers share: loading one as Lambda would, its context, and a fake of the core."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {
    "BUCKET_NAME": "pictures",
    "CANDIDATE": "42",
    "MODEL_ARNS": "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1,"
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
}


# What Powertools writes with every line, beside the function's own facts and whether it was a cold start.
EVERY_LINE = frozenset({"timestamp", "location", "service", "stack_trace", "exception_name"})


class Studio:
    """Stands for the core's `generate`: fails as instructed, one failure a call, and makes every other picture."""

    def __init__(self, picture):
        self.picture = picture
        self.jobs = []
        self.failures = []
        self.already_there = False

    def generate(self, job, *, bedrock, s3, bucket, prefix, attempts):
        self.jobs.append(job)
        if self.failures:
            raise self.failures.pop(0)
        return self.picture(
            bucket=bucket,
            key=job.key(prefix),
            model=job.model.id,
            seed=job.seed,
            milliseconds=1234,
            already_there=self.already_there,
        )


def logged_by(function, *usual):
    """What a loaded function says of a job or a request: each line without what every line has, and without the fields of `usual`."""
    lines = [json.loads(line) for line in function.log.getvalue().splitlines()]
    left_out = EVERY_LINE.union(usual)
    return [
        {
            name: value
            for name, value in line.items()
            if name not in left_out and not name.startswith(("function_", "cold"))
        }
        for line in lines
    ]


def load(file):
    """Load a fresh copy of a handler in the environment of the moment; named by its path, as `make mutants` names what it changes."""
    name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def loaded(file, environment):
    """Load a handler in the given environment, which is gone afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, "AWS_DEFAULT_REGION": "eu-west-1"}.items():
            patch.setenv(name, value)
        return load(file)


def context(function_name, *, memory_mb):
    """What Lambda hands to a handler beside the event."""
    return SimpleNamespace(
        function_name=function_name,
        memory_limit_in_mb=memory_mb,
        invoked_function_arn=f"arn:aws:lambda:eu-west-1:123456789012:function:{function_name}",
        aws_request_id="5e0d2c1b-0000-4000-8000-000000000001",
        get_remaining_time_in_millis=lambda: 28_000,
    )
