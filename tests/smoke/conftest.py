"""A deployed system in memory: a bucket, a queue whose worker paints at once, an API on a loopback port."""

# ruff: noqa: N803 - the fakes take boto3's argument names

import io
import json
import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from couch_explorers.core import image_models, jobs, png, sdk
from couch_explorers.core.errors import GenerationError
from tests.aws_fakes.queues import ServedQueue
from tests.aws_fakes.services import Bucket, Topics
from tests.aws_fakes.validated import checked, refusal

ARN = image_models.get(image_models.DEFAULT_MODEL_ID).arn
BUCKET = "pgr301-couch-explorers"
TOPIC = "arn:aws:sns:eu-west-1:000000000000:couch-explorers-42-alarms"
ALARMS = tuple(
    f"couch-explorers-42-{name}"
    for name in ("dead-letters", "failed-jobs", "oldest-message-age", "time-to-picture", "worker-errors")
)


def plain_png(width=8, height=6):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x20\x80\xc0" * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


class FakeSystem:
    """Everything a smoke test asks, and the switches with which a test breaks it."""

    def __init__(self):
        self.s3, self.sqs = Bucket(BUCKET), ServedQueue(self.work)
        self.lifecycles = {image_models.DEFAULT_MODEL_ID: "ACTIVE"}
        self.alarm_state, self.missing_alarms, self.alarm_actions = "OK", (), [TOPIC]
        self.subscriptions = [{"Endpoint": "ops@example.com", "SubscriptionArn": f"{TOPIC}:1"}]
        self.worker = self.store
        # What each function answers when it is asked for its SDK: an answer, or what Invoke raises.
        self.sdks = {}
        # Where GetFoundationModelAvailability answers otherwise than for a model that may be called.
        self.availability = {}
        # Whether CloudWatch gets the time to picture.
        self.measures = True
        self.metric_status = "Complete"
        self.api_answers = []
        self.api_bodies = []

    def client(self, service, region=None):
        clients = {
            "s3": self.s3,
            "sqs": self.sqs,
            "sts": SimpleNamespace(
                get_caller_identity=lambda: {"Account": "000000000000", "Arn": "arn:aws:iam::000000000000:root"}
            ),
            "bedrock": SimpleNamespace(
                get_foundation_model=self.foundation_model, get_foundation_model_availability=self.model_availability
            ),
            "lambda": SimpleNamespace(invoke=self.invoke),
            "cloudwatch": SimpleNamespace(describe_alarms=self.describe_alarms, get_metric_data=self.get_metric_data),
            "sns": Topics({TOPIC: self.subscriptions}),
        }
        return checked(service, clients[service])

    def foundation_model(self, modelIdentifier):
        status = self.lifecycles[modelIdentifier]
        if isinstance(status, Exception):
            raise status
        reported = status if isinstance(status, dict) else {"status": status}
        details = {"modelArn": ARN, "modelId": modelIdentifier, "modelLifecycle": reported}
        return {"modelDetails": details}

    def model_availability(self, modelId):
        if isinstance(self.availability, Exception):
            raise self.availability
        agreed = {
            "modelId": modelId,
            "agreementAvailability": {"status": "AVAILABLE"},
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": "AVAILABLE",
            "regionAvailability": "AVAILABLE",
        }
        return agreed | self.availability

    def invoke(self, FunctionName, Payload):
        assert sdk.PROBE in json.loads(Payload)
        answer = self.sdks.get(FunctionName, {"boto3": "1.40.4", "botocore": "1.40.4"})
        if isinstance(answer, Exception):
            raise answer
        error = {"FunctionError": "Unhandled"} if "errorType" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **error}

    def describe_alarms(self, AlarmNames):
        return {
            "MetricAlarms": [
                {
                    "AlarmName": name,
                    "AlarmActions": self.alarm_actions,
                    "StateValue": self.alarm_state,
                    "StateReason": "Threshold crossed",
                }
                for name in AlarmNames
                if name in ALARMS and name not in self.missing_alarms
            ]
        }

    def get_metric_data(self, MetricDataQueries, StartTime, EndTime):
        metric = MetricDataQueries[0]["MetricStat"]["Metric"]
        assert (metric["Namespace"], metric["MetricName"]) == ("CouchExplorers", "TimeToPicture")
        assert StartTime < EndTime
        pictures = [key for key in self.s3.objects if key.endswith(".png")]
        times = [1234.0] * (len(pictures) if self.measures else 0)
        values = {"SampleCount": [float(len(times))] if times else [], "Maximum": times[:1]}
        messages = [] if self.metric_status == "Complete" else [{"Code": "Any", "Value": "Try again later."}]
        beside = {"StatusCode": self.metric_status, "Messages": messages}
        return {
            "MetricDataResults": [
                {"Id": query["Id"], "Values": values[query["MetricStat"]["Stat"]], **beside}
                for query in MetricDataQueries
            ]
        }

    def work(self, body):
        self.worker(jobs.parse(body, fallback_id="message-1", model_arns=[ARN]))

    def store(self, job, prompt=None):
        inside = {
            "created": "2026-11-23T10:00:00+00:00",
            "id": job.id,
            "model": job.model.id,
            "request": job.request | ({"prompt": prompt} if prompt else {}),
            "seed": job.seed,
        }
        self.s3.put(job.key("42"), png.add_parameters(plain_png(), inside))
        return {
            "bucket": BUCKET,
            "key": job.key("42"),
            "uri": f"s3://{BUCKET}/{job.key('42')}",
            "model": job.model.id,
            "seed": job.seed,
            "milliseconds": 12,
        }

    def fail(self, job):
        self.sqs.depth += 1
        note = {"detail": "The prompt was blocked.", "id": job.id, "reason": "ContentFiltered", "time": "now"}
        self.s3.put(job.error_key("42"), json.dumps(note).encode())

    def answer(self, body):
        self.api_bodies.append(body)
        if self.api_answers:
            return self.api_answers.pop(0)
        try:
            job = jobs.parse(body, fallback_id="request-1", model_arns=[ARN])
        except GenerationError as error:
            return error.status, {"error": error.reason, "detail": error.detail, "request_id": "request-1"}
        return 200, self.store(job)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status, answer = self.server.system.answer(body)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def system():
    return FakeSystem()


@pytest.fixture
def api_url(system):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.system = system
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/prod/generate-image"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def workspace(system, api_url):
    return SimpleNamespace(
        target="local",
        candidate="42",
        region="eu-west-1",
        bucket=BUCKET,
        prefix="42",
        api_url=api_url,
        api_key_id=None,
        api_is_signed=False,
        queue_url="http://127.0.0.1:1/000000000000/couch-explorers-42-jobs",
        dead_letter_url="http://127.0.0.1:1/000000000000/couch-explorers-42-jobs-dead-letter",
        functions={"api": "couch-explorers-42-generate-image", "worker": "couch-explorers-42-worker"},
        alarms=ALARMS,
        topic_arn=TOPIC,
        model_arns=(ARN,),
        client=system.client,
    )


@pytest.fixture
def clients(system):
    return system.client


@pytest.fixture
def named():
    """Find a check of a part by its name."""
    return lambda part, name: next(check for check in part.checks if check.name == name)


@pytest.fixture(name="client_error")
def client_error_fixture():
    return lambda code, message="", operation="Operation": refusal(code, None, message, operation)


@pytest.fixture(name="plain_png")
def plain_png_fixture():
    return plain_png
