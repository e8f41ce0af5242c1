import botocore.session

from couch_explorers.local import mends
from couch_explorers.local.telemetry import wire_protocol


def test_the_query_protocols_parameters_become_the_json_input():
    params = {
        "AlarmNames.member.1": ["first"],
        "AlarmNames.member.2": ["second"],
        "MaxRecords": ["10"],
        "Action": ["DescribeAlarms"],
    }

    assert mends._from_query(params) == {"AlarmNames": ["first", "second"], "MaxRecords": "10"}


def test_an_alarm_is_written_with_every_field_of_the_services_model():
    shape = (
        botocore.session.get_session().get_service_model("cloudwatch").operation_model("DescribeAlarms").output_shape
    )
    alarm = {
        "AlarmName": "age & depth",
        "ActionsEnabled": True,
        "AlarmActions": ["arn:one", "arn:two"],
        "Period": 60,
        "Statistic": "Maximum",
        "Dimensions": [{"Name": "QueueName", "Value": "jobs"}],
        "StateUpdatedTimestamp": 0,
        "_internal": "not AWS's",
    }

    xml = wire_protocol.as_xml({"MetricAlarms": [alarm]}, shape)

    assert "<AlarmName>age &amp; depth</AlarmName>" in xml
    assert "<ActionsEnabled>true</ActionsEnabled>" in xml
    assert "<AlarmActions><member>arn:one</member><member>arn:two</member></AlarmActions>" in xml
    assert "<Dimensions><member><Name>QueueName</Name><Value>jobs</Value></member></Dimensions>" in xml
    assert "<Period>60</Period>" in xml
    assert "<StateUpdatedTimestamp>1970-01-01T00:00:00+00:00</StateUpdatedTimestamp>" in xml
    assert "_internal" not in xml
