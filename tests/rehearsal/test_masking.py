import pytest

from .masking import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("8 OK · target **aws** · 3.6 s", "8 OK · target **aws** · N s"),
        (
            "s3://pictures/42/smoke-20261125-032124-516ab9-api.png, 1101 ms",
            "s3://pictures/42/smoke-TIME-ID-api.png, N ms",
        ),
        ("http://127.0.0.1:33161/_aws/execute-api/4162bf7d/prod", "http://HOST/_aws/execute-api/ID/prod"),
        ("2.1 to 2.6 s, looked every 0.5 s", "N to N s, looked every N s"),
        ("| ✓ OK | identity | in eu-west-1 | 0.1 |", "| ✓ OK | identity | in eu-west-1 | N |"),
        ("model and seed 376186655 are those", "model and seed N are those"),
        ("ringing since 00:52, at most 1 (02:51 CEST)", "ringing since CLOCK, at most 1 (CLOCK)"),
        ("345 kB at 2026-11-25T03:21:24Z", "N kB at TIME"),
    ],
)
def test_what_differs_between_two_runs_is_masked(text, masked):
    assert mask(text) == f"{masked}\n"


@pytest.mark.parametrize(
    "text",
    [
        "Three of 3 are there: 3 made.",
        "account 000000000000 in eu-west-1, candidate 42",
        "1024 x 1024 pixels",
        "| timeout\\_s | 180.0 |",
        "HTTP 400: 10001 characters",
    ],
)
def test_what_a_run_found_is_left_as_it_is(text):
    assert mask(text) == f"{text}\n"


def test_cells_stand_in_the_notebooks_order_whichever_was_slowest():
    head = "| Cell | Under | Seconds |\n| --- | --- | --- |\n"

    assert (
        mask(f"{head}| 10 | Runs | 1.9 |\n| 2 | Here | 0.3 |\n\nEnd")
        == f"{head}| 2 | Here | N |\n| 10 | Runs | N |\n\nEnd\n"
    )
    assert mask(f"{head}| 10 | Runs | 1.9 |\n| 2 | Here | 0.3 |") == f"{head}| 2 | Here | N |\n| 10 | Runs | N |\n"


def test_of_a_plan_its_resources_and_their_sum_are_left():
    plan = """before
<details><summary>Plan</summary>

<pre>Terraform will perform the following actions:

  # aws_sqs_queue.jobs will be created
  + resource &quot;aws_sqs_queue&quot; &quot;jobs&quot; {
      + arn = (known after apply)
    }

Plan: 14 to add, 0 to change, 0 to destroy.</pre>

</details>

behind"""

    assert mask(plan).splitlines() == [
        "before",
        "<details><summary>Plan</summary>",
        "  # aws_sqs_queue.jobs will be created",
        "Plan: 14 to add, 0 to change, 0 to destroy.</pre>",
        "</details>",
        "",
        "behind",
    ]


REVIEW = """## ✅ metric\\_review passed

11 OK, 2 NO DATA, 1 BAD · target **aws** · 3.3 s

| Verdict | Check | What was seen | Seconds |
| --- | --- | --- | --- |
| ✗ BAD | dead-letter queue | 2 lie there since 04:54. | 0.0 |
| ? NO DATA | API latency | Missing: the API is not deployed. | 0.0 |
| ? NO DATA | worker memory | Idle: no run. | 0.0 |
| ✓ OK | backlog | At most 3 (04:54). | 0.0 |
"""


def test_of_a_review_the_figures_and_the_verdicts_that_they_lead_to_are_masked_but_not_what_is_bad_or_missing():
    assert mask(REVIEW).splitlines()[2:] == [
        "COUNTS · target **aws** · N s",
        "",
        "| Verdict | Check | What was seen | Seconds |",
        "| --- | --- | --- | --- |",
        "| ? NO DATA | API latency | Missing: the API is not deployed. | N |",
        "| not BAD | backlog | FIGURES | N |",
        "| ✗ BAD | dead-letter queue | 2 lie there since CLOCK. | N |",
        "| not BAD | worker memory | FIGURES | N |",
    ]


def test_another_notebooks_checks_are_left_as_they_are():
    smoke_test = REVIEW.replace("metric", "smoke")

    assert "| ✓ OK | backlog | At most 3 (CLOCK). | N |" in mask(smoke_test)
