"""Functions on a whole cloud: what the API, the logs and the process table say of them."""

import base64
import json
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.local.engine.functions import Functions
from tests.waiting import wait_until

ECHO = "def handler(event, context): return event"
DESCRIBE = """
import boto3, os
def handler(event, context):
    print("pid", os.getpid())
    return {
        "pid": os.getpid(), "identity": boto3.client("sts").get_caller_identity()["Arn"], "boto3": boto3.__version__,
        "client": context.client_context and context.client_context.custom, "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }
"""


def test_invocation_runs_as_the_execution_role_with_the_runtimes_sdk(functions):
    name = functions.create(DESCRIBE)
    context = base64.b64encode(json.dumps({"custom": {"from": "a phone"}}).encode()).decode()

    answer = functions.invoke(name, ClientContext=context, LogType="Tail")

    assert answer["Payload"]["identity"] == f"arn:aws:sts::000000000000:assumed-role/functions/{name}"
    assert answer["Payload"]["boto3"] == "1.40.4"
    assert answer["Payload"]["client"] == {"from": "a phone"}
    assert answer["Payload"]["trace"].startswith("Root=1-")
    assert answer["ExecutedVersion"] == "$LATEST"
    assert f"pid {answer['Payload']['pid']}\n" in base64.b64decode(answer["LogResult"]).decode()


def test_code_is_unpacked_in_the_clouds_own_folder(engine_cloud, functions):
    name = functions.create("import os\ndef handler(event, context): return os.environ['LAMBDA_TASK_ROOT']")

    assert functions.invoke(name)["Payload"].startswith(str(engine_cloud.home.resolve()))


def test_log_reaches_the_functions_group_in_order(engine_cloud, functions):
    name = functions.create("def handler(event, context):\n    for number in range(50): print(number)")

    functions.invoke(name)

    def finished():
        with closing(engine_cloud.client("logs")) as logs:
            try:
                events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
            except logs.exceptions.ResourceNotFoundException:
                return None
        return events if any("REPORT" in event["message"] for event in events) else None

    messages = [event["message"] for event in wait_until(finished, what="the REPORT line")]
    assert [message.partition(" ")[0] for message in messages[:2]] == ["INIT_START", "START"]
    assert messages[2:52] == [f"{number}\n" for number in range(50)]


def test_function_error_is_unhandled(functions):
    answer = functions.invoke(functions.create("def handler(event, context): return event['prompt']"))

    assert answer["FunctionError"] == "Unhandled"
    assert (answer["Payload"]["errorType"], answer["Payload"]["errorMessage"]) == ("KeyError", "'prompt'")


def test_reserved_concurrency_of_zero_throttles(functions):
    name = functions.create(ECHO)
    functions.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    with pytest.raises(functions.client.exceptions.TooManyRequestsException) as refused:
        functions.invoke(name)

    assert refused.value.response["Error"]["Message"] == "Rate Exceeded."
    assert refused.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_update_ends_the_old_versions_environments(functions):
    name = functions.create("import os\ndef handler(event, context): return os.environ.get('COLOUR'), os.getpid()")
    _, old = functions.invoke(name)["Payload"]

    functions.client.update_function_configuration(FunctionName=name, Environment={"Variables": {"COLOUR": "green"}})
    functions.client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})

    colour, new = functions.invoke(name)["Payload"]
    assert colour == "green"
    assert new != old
    wait_until(lambda: not _runs(old), within_s=10, what="the end of the old process")


def test_functions_end_when_the_cloud_is_killed(tmp_path):
    from tests.local.engine.conftest import serve  # noqa: PLC0415 - a cloud of its own, to be killed

    with serve(tmp_path / "home") as cloud:
        functions = Functions(cloud)
        name = functions.create("import os\ndef handler(event, context): return os.getpid()")
        process = functions.invoke(name)["Payload"]
        assert _runs(process)

        cloud.process.kill()

        wait_until(lambda: not _runs(process), within_s=10, what="the end of the function's process")


def _runs(process):
    try:
        with open(f"/proc/{process}/stat") as stat:  # noqa: PTH123
            return stat.read().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("invocation_type", ["RequestResponse", "Event"])
def test_payload_that_is_no_json_is_refused(functions, invocation_type):
    name = functions.create(ECHO)

    with pytest.raises(functions.client.exceptions.InvalidRequestContentException) as refused:
        functions.client.invoke(FunctionName=name, Payload=b"'jeep'", InvocationType=invocation_type)

    assert refused.value.response["Error"]["Message"].startswith(
        "Could not parse request body into json: Could not parse payload into json: Unexpected character (''' (code 39)): expected"
    )


def test_payload_beyond_an_asynchronous_invocations_limit_is_refused(functions):
    name = functions.create(ECHO)
    payload = json.dumps("x" * 1024 * 1024).encode()

    with pytest.raises(ClientError) as refused:
        functions.client.invoke(FunctionName=name, Payload=payload, InvocationType="Event")

    assert refused.value.response["Error"] == {
        "Code": "RequestEntityTooLargeException",
        "Message": "1048578 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
    }
    assert functions.invoke(name, "x" * 1024 * 1024)["Payload"] == "x" * 1024 * 1024


def test_unsupported_runtime_is_named_in_the_error(functions):
    name = functions.create(ECHO, Runtime="nodejs20.x", handler="index.handler")

    answer = functions.invoke(name)

    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorMessage"] == (
        f"The local cloud runs Python functions from zip archives. {name} cannot run: its runtime is nodejs20.x."
    )


def test_function_url_is_closed_until_a_policy_opens_it(functions):
    name = functions.create("def handler(event, context): return {'statusCode': 200, 'body': event['rawPath']}")
    url = functions.client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    assert url.partition(".lambda-url.eu-west-1.")[2].startswith("localhost:")

    status, body = _get(url + "jeep")
    assert status == 403
    assert json.loads(body)["Message"].startswith(
        "Forbidden. For troubleshooting Function URL authorization issues, see: "
    )

    functions.client.add_permission(
        FunctionName=name,
        StatementId="all",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    assert _get(url + "jeep") == (200, "/jeep")


def _get(url):
    """Status and body, by this machine's address whether or not its resolver knows names below localhost."""
    parts = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", parts.port)
    try:
        connection.request("GET", parts.path, headers={"Host": parts.netloc})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
