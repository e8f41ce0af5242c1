import pytest

from couch_explorers.checks import CHECKS_MIME, Verdict
from couch_explorers.figures import contact, report, saved_run
from couch_explorers.figures.figure import Absent, Figure
from couch_explorers.figures.report import Report
from couch_explorers.figures.sources import Kind
from couch_explorers.metrics.model import MetricsParameterError
from tests.metrics.fake_aws import client_error


@pytest.fixture
def whole(workspace, frame_of):
    return Report(workspace, frame_of(target="aws"))


def made_all(made):
    for name in ("architecture", "age", "duration", "client", "cost"):
        getattr(made, name)()
    return made


def test_figures_have_the_number_of_their_place_whenever_they_are_made(whole):
    cost, first = whole.cost(), whole.architecture()

    assert (first.number, cost.number) == (1, 6)
    assert [figure.name for figure in whole.in_order()] == ["architecture", "cost"]


def test_making_a_figure_again_replaces_it(whole):
    whole.age()
    whole.age()

    assert len(whole.in_order()) == 1


def test_each_figures_check_stands_in_the_table_that_couch_run_reads(whole):
    found = made_all(whole).checks()._repr_mimebundle_()[CHECKS_MIME]

    assert [check["name"].partition(":")[0] for check in found] == [f"figure {number}" for number in (1, 3, 4, 5, 6)]
    assert found[0]["verdict"] == Verdict.OK
    assert found[0]["detail"].startswith("AWS: Read from the services of AWS")


def test_a_missing_run_of_the_benchmark_is_no_data_and_the_others_are_made(whole, monkeypatch, tmp_path):
    monkeypatch.setattr(saved_run, "FOLDER", tmp_path)

    made_all(whole)

    verdicts = {figure.name: figure.check.verdict for figure in whole.in_order()}
    assert verdicts.pop("client") is Verdict.NO_DATA
    assert set(verdicts.values()) == {Verdict.OK}


def test_metrics_that_cannot_be_fetched_leave_out_their_figures_only(aws, workspace):
    aws.errors["GetMetricData"] = client_error("ThrottlingException", status=429)

    made = report.begin(workspace)

    assert isinstance(made.architecture(), Figure)
    age = made.age()
    assert isinstance(age, Absent)
    assert "CloudWatch throttled GetMetricData" in age.reason
    assert age.check.verdict is Verdict.NO_DATA


def test_a_window_that_makes_no_sense_stops_the_report(workspace):
    with pytest.raises(MetricsParameterError, match="Europe/Oslo"):
        report.begin(workspace, timezone="Europe/Olso")


def test_metrics_are_fetched_once_for_all_figures(aws, workspace):
    made = report.begin(workspace, hours=24, compare="none")
    asked = len(aws.calls("GetMetricData"))

    made.age(), made.duration(), made.cost()

    assert len(aws.calls("GetMetricData")) == asked


def test_a_refusal_by_aws_is_no_data(whole, monkeypatch):
    def refused(*_arguments, **_keywords):
        raise client_error("AccessDenied", "not allowed")

    monkeypatch.setattr(contact, "make", refused)
    figure = whole.contact_sheet(seed=7, max_cost_usd=0.2)

    assert (figure.check.verdict, figure.name) == (Verdict.NO_DATA, "contact_sheet")
    assert "not allowed" in figure.reason


def test_a_defect_is_bad_names_itself_and_does_not_stop_the_others(whole, monkeypatch):
    def broken(*_arguments, **_keywords):
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(contact, "make", broken)
    figure = whole.contact_sheet(seed=7, max_cost_usd=0.2)

    assert figure.check.verdict is Verdict.BAD
    assert "KeyError" in figure.reason
    assert isinstance(whole.age(), Figure)


def test_saved_figures_are_those_made_so_far(whole, tmp_path):
    whole.age()

    assert [path.name for path in whole.save(tmp_path)] == [
        "age.svg",
        "age.pdf",
        "age.png",
        "figures.md",
        "figures.json",
    ]


def test_titles_are_those_of_the_drawings(whole):
    made_all(whole)

    for figure in whole.in_order():
        assert figure.title == report.TITLES[figure.name]


def test_sources_follow_the_target(whole):
    assert whole.age().made.source.kind is Kind.AWS
