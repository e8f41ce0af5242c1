"""A deployed system's CloudWatch, Lambda, logs and queues in memory, between botocore's models (see tests/aws_fakes)."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

from botocore import xform_name

from couch_explorers.metrics import series
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from tests.aws_fakes.validated import checked, operations, refusal
from tests.metrics.believable import CORE, NAMES, STEM

QUEUE_URL = f"https://sqs.eu-west-1.amazonaws.com/000000000000/{STEM}-jobs"


def client_error(code, message="", operation="Operation", status=None):
    return refusal(code, status, message, operation)


class FakeAws:
    """What a test puts in, and the switches with which it breaks things; `asked` lists the operations and their arguments."""

    def __init__(self):
        self.samples = {}  # (namespace, metric, dimensions) → {statistic: {Unix time: value}}
        # operation → exception, a list of them for the first calls, or what makes one (or none) of a call's arguments
        self.errors = {}
        self.status = {}  # metric → the status code of its last page
        self.page_points = 100_800
        self.asked = []
        self.alarms = []
        self.changes = {}  # name of an alarm → [(time, old state, new state)]
        self.functions = {name: function(name) for name in (NAMES.worker, NAMES.api_function)}
        self.mappings = [{"UUID": "00000000-0000-4000-8000-000000000001", "ScalingConfig": {"MaximumConcurrency": 8}}]
        self.log_pages = {}  # name of a function → pages, each a list of lines
        self.queues = {NAMES.queue, NAMES.dead_letters}

    def client(self, service, region=None):
        return checked(service, _Service(self, service))

    def put(self, key, values, *, reasons=(), models=(CORE,)):
        """Put values by time, as a series' key names it; the same value for each statistic that is asked for."""
        lines = series.build(
            NAMES, period_s=60, percentile_period_s=60, reasons=reasons, models={WORKER: models, API_FUNCTION: models}
        )
        line = next(line for line in lines if line.key == key)
        self.put_metric(line.namespace, line.cloudwatch_metric, dict(line.dimensions), key[2], values)

    def put_metric(self, namespace, metric, dimensions, statistic, values):
        samples = self.samples.setdefault((namespace, metric, tuple(sorted(dimensions.items()))), {})
        samples.setdefault(statistic, {}).update({time.timestamp(): value for time, value in values.items()})

    def calls(self, operation):
        return [arguments for name, arguments in self.asked if name == operation]

    def answer(self, operation, **arguments):
        """Note the call, and give the pages of its answer."""
        self.asked.append((operation, arguments))
        error = self.errors.get(operation)
        if isinstance(error, list):
            error = error.pop(0) if error else None
        elif callable(error):
            error = error(**arguments)
        if error is not None:
            raise error
        yield from getattr(self, xform_name(operation))(**arguments)

    def get_metric_data(self, MetricDataQueries, StartTime, EndTime, ScanBy):  # noqa: N803 - boto3's names
        assert ScanBy == "TimestampAscending"
        assert len(MetricDataQueries) <= 500
        results = []
        for query in MetricDataQueries:
            stat = query["MetricStat"]
            points = self.points(stat, StartTime.timestamp(), EndTime.timestamp())
            results.append((query["Id"], stat["Metric"]["MetricName"], points))
        left = self.page_points
        page = []
        for name, metric, points in results:
            rest = points
            while len(rest) > left:
                page.append(result(name, rest[:left], "PartialData"))
                yield {"MetricDataResults": page, "Messages": [], "NextToken": "more"}
                rest, page, left = rest[left:], [], self.page_points
            left -= len(rest)
            status = self.status.get(metric, "Complete")
            page.append(result(name, [] if status == "Forbidden" else rest, status))
        yield {"MetricDataResults": page, "Messages": []}

    def points(self, stat, start, end):
        metric, period = stat["Metric"], stat["Period"]
        dimensions = tuple(sorted((each["Name"], each["Value"]) for each in metric["Dimensions"]))
        samples = self.samples.get((metric["Namespace"], metric["MetricName"], dimensions), {}).get(stat["Stat"], {})
        periods = {}
        for time, value in sorted(samples.items()):
            if start <= time < end:
                # As CloudWatch does, periods are counted from the start that was asked for.
                periods.setdefault(start + (time - start) // period * period, []).append(value)
        join = {"Sum": sum, "Maximum": max}.get(stat["Stat"], lambda values: sum(values) / len(values))
        return [(time, join(values)) for time, values in periods.items()]

    def list_metrics(self, Namespace, Dimensions):  # noqa: N803
        wanted = {(each["Name"], each["Value"]) for each in Dimensions}
        for namespace, metric, dimensions in self.samples:
            if namespace == Namespace and wanted <= set(dimensions):
                found = [{"Name": name, "Value": value} for name, value in dimensions]
                # A page each, so that anyone who reads only the first is found out.
                yield {"Metrics": [{"Namespace": namespace, "MetricName": metric, "Dimensions": found}]}

    def describe_alarms(self, AlarmNamePrefix, AlarmTypes):  # noqa: N803
        for alarm in self.alarms:
            if alarm["AlarmName"].startswith(AlarmNamePrefix):
                yield {"MetricAlarms": [alarm], "CompositeAlarms": []}

    def describe_alarm_history(self, AlarmName, HistoryItemType, StartDate, ScanBy):  # noqa: N803
        assert (HistoryItemType, ScanBy) == ("StateUpdate", "TimestampAscending")
        for time, old, new in self.changes.get(AlarmName, ()):
            if time >= StartDate:
                data = {"version": "1.0", "oldState": {"stateValue": old}, "newState": {"stateValue": new}}
                item = {"Timestamp": time, "HistorySummary": f"Alarm updated from {old} to {new}"}
                yield {"AlarmHistoryItems": [item | {"AlarmName": AlarmName, "HistoryData": json.dumps(data)}]}

    def get_function(self, FunctionName):  # noqa: N803
        if FunctionName not in self.functions:
            raise client_error("ResourceNotFoundException", "Function not found", "GetFunction", 404)
        yield self.functions[FunctionName]

    def list_event_source_mappings(self, FunctionName):  # noqa: N803
        yield {"EventSourceMappings": self.mappings}

    def filter_log_events(self, logGroupName, startTime, endTime, filterPattern):  # noqa: N803
        name = logGroupName.removeprefix("/aws/lambda/")
        if name not in self.log_pages:
            raise client_error(
                "ResourceNotFoundException", "The specified log group does not exist.", "FilterLogEvents"
            )
        pages = self.log_pages[name]
        for number, lines in enumerate(pages, start=1):
            page = {"events": [{"message": line} for line in lines]}
            yield page | ({"nextToken": "more"} if number < len(pages) else {})

    def get_queue_url(self, QueueName):  # noqa: N803
        if QueueName not in self.queues:
            raise client_error("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        yield {"QueueUrl": QUEUE_URL}


class _Service:
    """One service's operations, each of which yields its pages."""

    def __init__(self, aws, service):
        self._aws, self._names = aws, {name: model.name for name, model in operations(service).items()}

    def __getattr__(self, name):
        def pages(**arguments):
            yield from self._aws.answer(self._names[name], **arguments)

        return pages


def result(name, points, status):
    return {
        "Id": name,
        "Label": name,
        "Timestamps": [datetime.fromtimestamp(time, UTC) for time, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": status,
    }


def function(name, modified="2026-11-20T12:00:00.000+0000", **tags):
    limits = {"Timeout": 60, "MemorySize": 512} if name == NAMES.worker else {"Timeout": 28, "MemorySize": 1024}
    return {"Configuration": {"FunctionName": name, "LastModified": modified, **limits}, "Tags": tags}


def alarm(short_name, *, threshold=300.0, state="OK", since=None):
    """Describe an alarm as CloudWatch does."""
    found = {"AlarmName": f"{STEM}-{short_name}", "Threshold": threshold, "StateValue": state, "Period": 60}
    found |= {"StateReason": "Threshold Crossed.", "ActionsEnabled": True, "ComparisonOperator": "GreaterThanThreshold"}
    return found | ({"StateTransitionedTimestamp": since} if since else {})


def workspace_of(aws, **changes):
    """Make a workspace in which everything is deployed; `changes` replace fields."""
    fields = {
        "target": "aws",
        "candidate": "42",
        "api_url": "https://abc.execute-api.eu-west-1.amazonaws.com/prod/generate-image",
        "queue_url": QUEUE_URL,
        "dead_letter_url": f"{QUEUE_URL}-dead-letter",
        "functions": {"worker": NAMES.worker, "api": NAMES.api_function},
        "model_arns": (f"arn:aws:bedrock:us-west-2::foundation-model/{CORE}",),
        "client": aws.client,
    }
    return SimpleNamespace(**fields | changes)
