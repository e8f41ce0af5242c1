"""The account of a fault storm, on logs written by hand."""

from pathlib import Path

import pytest

from tests import scripts

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "storm_ledger.py"


@pytest.fixture(scope="module")
def ledger():
    return scripts.load("benchmarks/storm_ledger.py")


class Logs:
    """The logs of a storm of one job, "a", sent at second 0."""

    def __init__(self):
        self.model, self.requests, self.function = [], [], []
        self.outages = []

    def call(self, number, at, *, billed=0.5, hanging=False, ended=True):
        """A call of invocation `number`; `billed` and `ended` say how far it came."""
        name = f"c{number}-{at}"
        self.model.append({"call": name, "at": at, "event": "begun", "trace": trace(number), "prompt": "the prompt"})
        if billed is not None:
            self.model.append({"call": name, "at": at + billed, "event": "billed", "images": 1, "hanging": hanging})
        if ended:
            self.model.append({"call": name, "at": at + 0.6, "event": "ended", "status": 200 if billed else 503})
        return self

    def store(self, number, at, status=200):
        path = "/bucket/42/a.png"
        line = {"method": "PUT", "path": path, "trace": trace(number), "start": at, "end": at + 0.1, "status": status}
        self.requests.append(line)
        return self

    def look(self, number, at):
        line = {"method": "GET", "path": "/bucket", "trace": trace(number), "start": at, "end": at + 0.1, "status": 200}
        self.requests.append(line)
        return self

    def report(self, number, status="", error=""):
        if error:
            self.function.append(f"RequestId: {request_id(number)} Error: {error}")
        self.function.append(f"REPORT RequestId: {request_id(number)}\tDuration: 1 ms\t{status}")
        return self

    def account(self, ledger, *, kept=frozenset({"a"}), dead=None, waiting=frozenset(), idempotent=True):
        return ledger.account(
            sent={"a": 0.0},
            jobs={"the prompt": "a"},
            model_log=self.model,
            request_log=self.requests,
            function_log=ledger.endings_of(self.function),
            outages=self.outages,
            kept=kept,
            dead=dead or {},
            waiting=waiting,
            idempotent=idempotent,
        )


def request_id(number):
    return f"{number:08x}-0000-4000-8000-000000000000"


def trace(number):
    return f"Root=1-00000000-{request_id(number).replace('-', '')[:24]};Parent=0;Sampled=0"


def test_one_call_one_picture_is_nothing_extra(ledger):
    whole = Logs().call(1, 1.0).store(1, 1.6).report(1).account(ledger)

    assert (whole.pictures, whole.paid, whole.extra, whole.lost, whole.duplicated) == ({"a"}, 1, [], set(), 0)
    assert whole.time_to_picture == [pytest.approx(1.7)]


def test_unavailable_model_costs_nothing(ledger):
    whole = Logs().call(1, 1.0, billed=None).call(1, 2.0).store(1, 2.6).report(1).account(ledger)

    assert (whole.calls, whole.paid, whole.extra) == (2, 1, [])


def test_call_without_an_end_counts_as_paid(ledger):
    logs = Logs().call(1, 1.0, billed=None, ended=False).call(2, 20.0).store(2, 20.6).report(2)
    logs.outages = [ledger.Outage("kill", 1.2, 9.0)]
    whole = logs.account(ledger)

    assert (whole.paid, whole.causes()) == (2, {ledger.CLOUD: 1})


@pytest.mark.parametrize("began", [1.2, 7.0, 15.5], ids=["at the kill", "before it", "while a stop was under way"])
def test_call_in_flight_ends_with_the_cloud(ledger, began):
    logs = Logs().call(1, began, billed=None, ended=False).call(2, 40.0).store(2, 40.6).report(2)
    logs.outages = [ledger.Outage("kill", 1.3, 6.0), ledger.Outage("stop", 15.0, 30.0)]

    assert logs.account(ledger).causes() == {ledger.CLOUD: 1}


def test_call_in_flight_at_the_end_is_unexplained(ledger):
    logs = Logs().call(1, 40.0, billed=None, ended=False)
    logs.outages = [ledger.Outage("kill", 1.3, 6.0)]

    assert logs.account(ledger, kept=set(), waiting={"a"}).causes() == {ledger.UNEXPLAINED: 1}


@pytest.mark.parametrize(
    ("report", "cause"),
    [
        ({"error": "Runtime exited with error: signal: killed"}, "FUNCTION"),
        ({"status": "Status: timeout"}, "TIMEOUT"),
        ({}, "UNEXPLAINED"),
    ],
)
def test_extra_call_is_explained_by_the_functions_log(ledger, report, cause):
    whole = Logs().call(1, 1.0).report(1, **report).call(2, 40.0).store(2, 40.6).report(2).account(ledger)

    assert whole.causes() == {getattr(ledger, cause): 1}


def test_hanging_call_is_a_timeout(ledger):
    whole = Logs().call(1, 1.0, hanging=True).report(1).call(2, 40.0).store(2, 40.6).report(2).account(ledger)

    assert whole.causes() == {ledger.TIMEOUT: 1}


def test_second_delivery_at_the_same_time_is_explained(ledger):
    logs = Logs().call(1, 1.0).call(2, 1.2).store(1, 1.6).store(2, 1.8, status=412).report(1).report(2)
    whole = logs.account(ledger)

    assert (whole.causes(), whole.duplicated) == ({ledger.BESIDE: 1}, 0)


def test_second_delivery_that_looked_before_the_picture_stood_is_explained(ledger):
    logs = Logs().look(1, 0.9).call(1, 1.0).store(1, 1.6).report(1)
    logs.look(2, 1.5).call(2, 1.9).store(2, 2.5, status=412).report(2)

    assert logs.account(ledger).causes() == {ledger.BESIDE: 1}


def test_repeated_call_needs_a_look_of_its_own(ledger):
    logs = Logs().look(1, 0.9).call(1, 1.0).store(1, 1.6).report(1)
    # It was throttled until the first delivery had stored the picture.
    logs.look(2, 1.2).look(2, 4.9).call(2, 5.0).store(2, 5.6, status=412).report(2)

    assert logs.account(ledger).causes() == {ledger.UNEXPLAINED: 1}


def test_second_delivery_after_the_picture_is_a_fault_of_the_worker(ledger):
    whole = Logs().call(1, 1.0).store(1, 1.6).report(1).call(2, 5.0).store(2, 5.6).report(2).account(ledger)

    assert (whole.causes(), whole.duplicated) == ({ledger.UNEXPLAINED: 1}, 1)


def test_worker_that_promises_nothing_is_explained_by_that(ledger):
    logs = Logs().call(1, 1.0).store(1, 1.6).report(1).call(2, 5.0).store(2, 5.6).report(2)
    whole = logs.account(ledger, kept=None, idempotent=False)

    assert (whole.pictures, whole.causes(), whole.duplicated) == ({"a"}, {ledger.AGAIN: 1}, 1)


def test_picture_stored_right_before_a_kill_is_taken_by_it(ledger):
    logs = Logs().call(1, 1.0).store(1, 1.6).report(1).call(2, 30.0).store(2, 30.6).report(2)
    logs.outages = [ledger.Outage("kill", 2.2, 9.0)]
    whole = logs.account(ledger)

    assert (whole.causes(), whole.duplicated) == ({ledger.CLOUD: 1}, 0)


def test_repeated_attempt_to_store_is_the_same_picture(ledger):
    whole = Logs().call(1, 1.0).store(1, 1.6).store(1, 1.8, status=412).report(1).account(ledger)

    assert (whole.extra, whole.duplicated) == ([], 0)


@pytest.mark.parametrize(("reason", "cause"), [("Storage", "STORAGE"), ("ModelTimeout", "TIMEOUT")])
def test_reason_of_a_postponed_job_is_the_cause(ledger, reason, cause):
    logs = Logs().call(1, 1.0).report(1).call(2, 40.0).store(2, 40.6).report(2)
    logs.function.append(
        f'{{"message": "Job postponed", "reason": "{reason}", "function_request_id": "{request_id(1)}"}}'
    )

    assert logs.account(ledger).causes() == {getattr(ledger, cause): 1}


@pytest.mark.parametrize(
    ("outage", "fate"), [(None, "lost"), (0.4, "lost_at_kill"), (5.0, "lost")], ids=["no kill", "kill", "later kill"]
)
def test_message_that_is_nowhere_is_lost(ledger, outage, fate):
    logs = Logs()
    logs.outages = [] if outage is None else [ledger.Outage("kill", outage, outage + 5)]
    whole = logs.account(ledger, kept=set())

    assert {name: getattr(whole, name) for name in ("lost", "lost_at_kill")} == {
        "lost": set(),
        "lost_at_kill": set(),
    } | {fate: {"a"}}


def test_dead_letter_with_a_picture_is_no_dead_job(ledger):
    whole = Logs().call(1, 1.0).store(1, 1.6).report(1).account(ledger, dead={"a": "Throttled"})

    assert (whole.pictures, whole.dead) == ({"a"}, {})


@pytest.mark.parametrize("fate", ["dead", "waiting"])
def test_job_without_a_picture_is_where_it_is_found(ledger, fate):
    there = {"dead": {"a": "Throttled"}} if fate == "dead" else {"waiting": {"a"}}
    whole = Logs().account(ledger, kept=set(), **there)

    assert set(getattr(whole, fate)) == {"a"}
    assert whole.lost == set()


def test_percentile_of_the_time_to_the_picture(ledger):
    whole = ledger.Account(sent=0, calls=0, paid=0, time_to_picture=[float(number) for number in range(101)])

    assert (whole.percentile(0.5), whole.percentile(0.95)) == (pytest.approx(50), pytest.approx(95))
