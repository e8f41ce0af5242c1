"""Long lists of numbers and times are written at once, byte for byte as LocalEmu writes them one by one."""

import pytest

from tests.engine_python import in_engine

CODE = """
import json
from localemu.aws.protocol.serializer import create_serializer
from localemu.aws.spec import load_service
from couch_explorers.local.engine.patches import metric_points

service = load_service("cloudwatch")
shape = service.operation_model("GetMetricData").output_shape
times = [1795608000 + 60 * number for number in range(40)]
values = [number / 7 for number in range(40)]
values[3] = {third}
result = {{"Id": "m", "Label": "m", "Timestamps": times, "Values": values, "StatusCode": "Complete"}}

def written(protocol):
    serializer = create_serializer(service, protocol)
    if protocol == "json":
        body = {{}}
        serializer._serialize(body, {{"MetricDataResults": [result]}}, shape, None, "application/json")
        return json.dumps(body)
    body = bytearray()
    serializer._serialize_data_item(body, {{"MetricDataResults": [result]}}, shape)
    return body.hex()

before = [written(protocol) for protocol in ("json", "smithy-rpc-v2-cbor")]
metric_points.apply()
print(json.dumps(before == [written(protocol) for protocol in ("json", "smithy-rpc-v2-cbor")]))
"""


@pytest.mark.parametrize("third", ["0.5", "-3.0", "float('inf')", "1e300"])
def test_page_is_what_the_engine_writes_item_by_item(third):
    assert in_engine(CODE.format(third=third)) is True
