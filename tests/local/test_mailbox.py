import json
import os
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from botocore.exceptions import ClientError

from couch_explorers.local import mailbox
from couch_explorers.paths import Home
from tests import hostile
from tests.aws_fakes.services import DENIED, Topics
from tests.aws_fakes.validated import checked

MORNING = "Wed, 25 Nov 2026 09:42:01 +0000"
ARN = "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:couch-explorers-42-oldest-message-age"
SUBJECT = "A subject that is longer than the line of a header may be, so that it is folded, and once more folded"


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def oslo(set_zone):
    """The reader's machine stands in Oslo."""
    set_zone("Europe/Oslo")


@pytest.fixture
def deliver(home):
    def delivered(name, subject="ALARM", body="text\n", date=MORNING):
        message = EmailMessage()
        message["To"] = "standup@couch-explorers.example"
        message["Subject"] = subject
        if date:
            message["Date"] = date
        message.set_content(body, cte="quoted-printable")
        home.inbox.mkdir(exist_ok=True)
        file = home.inbox / f"{name}.eml"
        file.write_bytes(message.as_bytes(policy=SMTP))
        return file

    return delivered


def test_the_inbox_lies_in_the_clouds_own_folder(home):
    assert home.inbox == home.path / "inbox"


def test_an_inbox_that_nobody_has_written_to_is_empty(home):
    assert mailbox.read_mails(home) == []
    assert mailbox.delete_mails(home) == 0


def test_e_mails_are_read_with_the_oldest_first(home, deliver):
    deliver("20261125T094301", "OK")
    deliver("20261125T094201", "ALARM")

    assert [mail.subject for mail in mailbox.read_mails(home)] == ["ALARM", "OK"]


def test_an_e_mail_is_read_as_it_was_written(home, deliver):
    body = f"Alarm Details:\n- Description: {'a long runbook, ' * 20}kø\n- Alarm Arn: {ARN}\n"
    file = deliver("one", SUBJECT, body)

    (mail,) = mailbox.read_mails(home)

    assert mail.time == datetime(2026, 11, 25, 9, 42, 1, tzinfo=UTC)
    assert mail.to == "standup@couch-explorers.example"
    assert mail.subject == SUBJECT
    assert mail.body == body
    assert mail.file == file


def test_an_e_mail_as_plain_values(home, deliver):
    file = deliver("one")

    (mail,) = mailbox.read_mails(home)

    assert json.loads(json.dumps(mail.to_json())) == {
        "time": "2026-11-25T09:42:01+00:00",
        "to": "standup@couch-explorers.example",
        "subject": "ALARM",
        "body": "text\n",
        "file": str(file),
    }


def test_an_e_mail_without_a_date_has_its_files_time(home, deliver):
    os.utime(deliver("one", date=None), (1_000_000, 1_000_000))

    assert mailbox.read_mails(home)[0].time == datetime.fromtimestamp(1_000_000, UTC)


def test_what_is_half_written_or_no_e_mail_is_left_alone(home, deliver):
    deliver("one")
    (home.inbox / ".two.eml.x7").write_bytes(b"half")
    (home.inbox / "notes.txt").write_text("mine", encoding="utf-8")

    assert mailbox.delete_mails(home) == 1
    assert sorted(file.name for file in home.inbox.iterdir()) == [".two.eml.x7", "notes.txt"]


def test_an_empty_inbox_says_so():
    assert mailbox.format_mails([]) == ["The inbox is empty: no alarm has sent an e-mail."]


def test_the_terminal_shows_the_readers_own_time_and_the_newest_last(home, deliver, oslo):
    deliver("1", "ALARM: age")
    deliver("2", "OK: age", date="Wed, 25 Nov 2026 09:52:01 +0000")

    lines = mailbox.format_mails(mailbox.read_mails(home))

    assert lines[0] == "2 e-mails, the newest last"
    assert lines[3:5] == ["ALARM: age", "2026-11-25 10:42:01 CET  to standup@couch-explorers.example"]
    assert lines.index("OK: age") > lines.index("ALARM: age")


def test_long_lines_are_broken_at_eighty_columns_and_a_lists_text_stands_apart(home, deliver):
    deliver("one", body=f"You receive this {'because ' * 20}\n- Description:               {'runbook ' * 30}\n")

    lines = mailbox.format_mails(mailbox.read_mails(home))

    assert [line for line in lines if len(line) > 80] == []
    assert sum(line.startswith("    runbook") for line in lines) >= 2


def test_an_arn_longer_than_the_terminal_stays_whole_so_that_it_can_be_copied(home, deliver):
    deliver("one", body=f"- Alarm Arn:                 {ARN}\n")

    assert any(line.strip() == ARN for line in mailbox.format_mails(mailbox.read_mails(home)))


TOPIC = "arn:aws:sns:eu-west-1:000000000000:alarms"
ADDRESS = "standup@couch-explorers.example"


@pytest.fixture
def ask(home):
    box = mailbox.Mailbox(home.inbox)

    def asked(address=ADDRESS, topic=TOPIC, token="abc"):
        link = f"http://127.0.0.1:4566/?Action=ConfirmSubscription&TopicArn={topic.replace(':', '%3A')}&Token={token}"
        box.deliver(address, mailbox.CONFIRMATION_SUBJECT, mailbox.confirmation_body(topic, link))

    return asked


def test_mail_that_asks_names_address_topic_and_token(home, ask):
    ask(token="0f")

    assert list(mailbox.requested_confirmations(home)) == [mailbox.Confirmation(ADDRESS, TOPIC, "0f")]


def test_other_mails_ask_for_nothing(home):
    mailbox.Mailbox(home.inbox).deliver(ADDRESS, "ALARM", "Action=ConfirmSubscription is a word here")
    message = EmailMessage()
    (home.inbox / "0.eml").write_bytes(message.as_bytes())

    assert list(mailbox.requested_confirmations(home)) == []


def test_pending_subscription_is_confirmed_by_its_token(home, ask):
    ask(token="old")
    ask(token="new")
    sns = checked("sns", Topics(new=ADDRESS))

    confirmed = mailbox.confirm(home, sns)

    assert [one.token for one in confirmed] == ["new"]
    assert sns.confirmed == [(TOPIC, ADDRESS)]


def test_other_addresses_and_topics_are_left_alone(home, ask):
    ask(token="a")
    sns = checked("sns", Topics(a=ADDRESS))

    assert mailbox.confirm(home, sns, address="somebody@else.example") == ()
    assert mailbox.confirm(home, sns, topic_arn=TOPIC + "-other") == ()
    assert sns.confirmed == []


def test_refusal_for_missing_rights_is_not_hidden(home, ask):
    ask()
    sns = checked("sns", Topics(abc=ADDRESS))

    sns.failures["confirm"] = DENIED

    with pytest.raises(ClientError):
        mailbox.confirm(home, sns)


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_an_e_mail_is_plain_text_with_its_own_headers_and_steers_no_terminal(tmp_path, monkeypatch, text):
    monkeypatch.setenv("COUCH_HOME", str(tmp_path))
    home = Home.current()

    mailbox.Mailbox(home.inbox).deliver("judge@example.com", text, text, sender_name=text)

    [mail] = mailbox.read_mails(home)
    assert mail.to == "judge@example.com"
    assert mail.file.read_bytes().count(b"Content-Type: text/plain") == 1
    assert hostile.unprintable("\n".join(mailbox.format_mails([mail]))) == set()
