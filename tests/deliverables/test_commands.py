import shlex

from couch_explorers.deliverables import commands

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/couch-explorers-42-jobs"


def words(command):
    """The words that a shell reads."""
    return shlex.split(command.replace("\\\n", ""))


def test_the_api_is_asked_by_one_post_of_the_bare_prompt():
    assert words(commands.curl("https://abc.example/prod/generate-image")) == [
        "curl", "-X", "POST", "-H", "Content-Type: text/plain", "-d", "me on top of a pyramid",
        "https://abc.example/prod/generate-image",
    ]  # fmt: skip


def test_an_address_with_signs_that_a_shell_obeys_stays_one_word():
    assert words(commands.curl("https://abc.example/prod?a=1&b=$(id)"))[-1] == "https://abc.example/prod?a=1&b=$(id)"


def test_a_message_is_sent_to_the_queue_in_its_region():
    assert words(commands.send_message(QUEUE, "eu-west-1", None)) == [
        "aws", "sqs", "send-message", "--region", "eu-west-1", "--queue-url", QUEUE,
        "--message-body", "me on top of a pyramid",
    ]  # fmt: skip


def test_a_message_is_sent_through_an_endpoint_where_one_stands_in_for_aws():
    assert words(commands.send_message(QUEUE, "eu-west-1", "http://127.0.0.1:4566"))[-2:] == [
        "--endpoint-url", "http://127.0.0.1:4566",
    ]  # fmt: skip


def test_the_image_is_run_in_the_exams_form():
    assert words(commands.docker_run("octocat/client", QUEUE)) == [
        "docker", "run", "-e", "AWS_ACCESS_KEY_ID=xxx", "-e", "AWS_SECRET_ACCESS_KEY=yyy",
        "-e", f"SQS_QUEUE_URL={QUEUE}", "octocat/client", "me on top of a pyramid",
    ]  # fmt: skip


def test_without_a_queue_the_image_is_run_with_the_exams_own_placeholder():
    assert "-e SQS_QUEUE_URL=<SQS_QUEUE_URL>" in commands.docker_run("octocat/client", None)
