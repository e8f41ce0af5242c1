from couch_explorers.figures import architecture
from couch_explorers.figures.provenance import Kind
from tests.aws_fakes.monitored import client_error


def test_a_whole_deploy_gives_a_figure_with_its_source(workspace):
    made = architecture.make(workspace)

    assert (made.panel.name, made.missing) == ("architecture", "")
    assert made.source.kind is Kind.AWS
    assert made.panel.alternative.startswith("Diagram of the system.")


def test_what_may_not_be_read_is_reported_as_missing(aws, workspace):
    aws.errors["GetQueueAttributes"] = client_error("AccessDenied")

    assert "sqs:GetQueueAttributes" in architecture.make(workspace).missing
