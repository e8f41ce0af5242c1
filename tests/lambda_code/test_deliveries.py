"""A model of the queue around the worker: any order of deliveries, faults and kills, and what holds after each step."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from couch_explorers.core import generation, jobs, retries
from couch_explorers.core.errors import InvalidJobError
from tests import handlers
from tests.aws_fakes.models import ImageModels
from tests.aws_fakes.queues import Queues
from tests.aws_fakes.services import Bucket
from tests.aws_fakes.validated import RefusalError, client
from tests.lambda_code.conftest import ENVIRONMENT, WORKER
from tests.lambda_code.deliveries import BROKEN_OFF, REFUSALS, Delivery, Gate

# Few, so that the last receive is reached in a short run.
MAX_RECEIVES = 4
MAX_MODEL_TIMEOUTS = 2
ATTEMPTS = 2
AT_WORK = 2

# A job that is named by its message, two requests for one id, and one that no model can paint.
BODIES = (
    "A jeep on the savanna",
    '{"prompt": "A fjord", "id": "fjord-1"}',
    '{"prompt": "A lion", "id": "fjord-1"}',
    '{"prompt": 7}',
)


@dataclass
class Message:
    """A message in the queue; `gone` once it is deleted or moved."""

    id: str
    body: str
    receives: int = 0
    gone: bool = False
    # Moved by SQS's redrive policy, without a reason.
    moved: bool = False
    handles: set[str] = field(default_factory=set)
    deliveries: list[Delivery] = field(default_factory=list)
    # Deliveries of a copy: while another one is at work, or after the deletion.
    copies: int = 0

    @property
    def job(self):
        try:
            return jobs.parse(self.body, fallback_id=self.id, model_arns=ENVIRONMENT["MODEL_ARNS"].split(","))
        except InvalidJobError:
            return None


class WatchedBucket(Bucket):
    """Notes for the delivery at work whether the picture was there when it looked."""

    def list_objects_v2(self, *, Prefix, **parameters):  # noqa: N803 - S3's names
        answer = super().list_objects_v2(Prefix=Prefix, **parameters)
        if Prefix.endswith(".png"):
            world.at_work.found = "Contents" in answer
        return answer


class WatchedQueues(Queues):
    """Knows the receipt handles of messages that are gone."""

    def change_message_visibility(self, *, ReceiptHandle, **parameters):  # noqa: N803 - SQS's names
        if any(message.gone and ReceiptHandle in message.handles for message in world.messages):
            raise RefusalError("InvalidParameterValue", 400, "Message does not exist or is not available.")
        super().change_message_visibility(ReceiptHandle=ReceiptHandle, **parameters)


class WatchedModels(ImageModels):
    """Notes who paid, and whether the look before the call had found the picture."""

    def invoke_model(self, **parameters):
        world.paid.append((world.at_work, world.at_work.looked))
        return super().invoke_model(**parameters)


class World:
    """What the fakes share with the machine that is running; one machine runs at a time."""

    at_work: Delivery
    messages: list[Message]
    paid: list[tuple[Delivery, bool | None]]


world = World()


@pytest.fixture(scope="module")
def workers():
    """Two execution environments, each with a worker of its own."""
    environment = ENVIRONMENT | {"MAX_RECEIVE_COUNT": str(MAX_RECEIVES)}
    return [handlers.loaded(WORKER, environment) for _ in range(AT_WORK)]


class Fakes:
    """The services of one run behind clients that are made once: making a client takes longer than a run."""

    def __init__(self):
        self.s3, self.sqs, self.models = WatchedBucket(), WatchedQueues(), WatchedModels()


class Switch:
    """Stands in the place of one of the run's services."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, operation):
        return getattr(Gate(getattr(world.fakes, self._name)), operation)


@pytest.fixture(scope="module")
def connected(workers):
    clients = {
        "s3": client("s3", Switch("s3")),
        "sqs": client("sqs", Switch("sqs")),
        "models": client("bedrock-runtime", Switch("models"), "us-west-2"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for worker in workers:
            patch.setattr(worker, "s3", clients["s3"])
            patch.setattr(worker, "sqs", lambda: clients["sqs"])
            patch.setattr(worker, "bedrock", lambda _region: clients["models"])
            patch.setattr(worker, "attempts", retries.Attempts(ATTEMPTS, sleep=lambda _seconds: None))
        patch.setattr(retries, "MAX_MODEL_TIMEOUTS", MAX_MODEL_TIMEOUTS)
        yield workers


class Deliveries(RuleBasedStateMachine):
    """The queue, its worker's two execution environments, and every fault in any order."""

    workers: list

    def __init__(self):
        super().__init__()
        world.fakes = Fakes()
        world.paid = self.paid = []
        world.messages = self.messages = []
        self.s3, self.sqs = world.fakes.s3, world.fakes.sqs
        # For each environment its delivery at work and that delivery's message.
        self.running: dict[int, tuple[Delivery, Message]] = {}
        self.pictures = {}

    # --- what may happen ---

    @precondition(lambda self: len(self.messages) < len(BODIES))
    @rule(data=st.data())
    def send(self, data):
        unsent = [body for body in BODIES if body not in {message.body for message in self.messages}]
        body = data.draw(st.sampled_from(unsent), "body")
        self.messages.append(Message(f"00000000-0000-4000-8000-{len(self.messages):012}", body))

    @precondition(lambda self: self.messages and len(self.running) < AT_WORK)
    @rule(data=st.data())
    def deliver(self, data):
        """Any message at any time: a standard queue delivers at least once, now and then even after the deletion."""
        self.receive(data.draw(st.sampled_from(self.messages), "message"))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def go_on(self, data):
        environment = data.draw(st.sampled_from(sorted(self.running)), "environment")
        # One call in three is done, one refused: faults alone would seldom let two deliveries get far.
        refused = st.sampled_from(sorted(REFUSALS[self.running[environment][0].call]))
        self.step(environment, data.draw(st.just("done") | refused | st.sampled_from(BROKEN_OFF), "outcome"))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def run_to_the_end(self, data):
        self.finish(data.draw(st.sampled_from(sorted(self.running)), "environment"))

    # --- how ---

    def receive(self, message):
        if message.receives >= MAX_RECEIVES and not message.gone:
            # The redrive policy: SQS moves a message instead of delivering it once more.
            message.gone = message.moved = True
            return
        message.receives += 1
        message.copies += message.gone or any(message is other for _, other in self.running.values())
        handle = f"{message.id}-{message.receives}"
        message.handles.add(handle)
        environment = min(set(range(AT_WORK)) - self.running.keys())
        delivery = Delivery(self.workers[environment], message.id, handle, message.body, message.receives)
        message.deliveries.append(delivery)
        self.running[environment] = (delivery, message)
        self.after(environment)

    def step(self, environment, outcome="done"):
        delivery, _ = self.running[environment]
        world.at_work = delivery
        delivery.step(outcome)
        self.after(environment)

    def finish(self, environment):
        while environment in self.running:
            self.step(environment)

    def after(self, environment):
        delivery, message = self.running[environment]
        if delivery.ended:
            message.gone = message.gone or not delivery.kept
            del self.running[environment]

    # --- what holds after each step ---

    @invariant()
    def no_picture_changes(self):
        for key, found in self.s3.objects.items():
            if key.endswith(".png"):
                assert self.pictures.setdefault(key, found) == found
        assert self.pictures.keys() <= self.s3.objects.keys()
        assert len([key for key in self.s3.writes if key.endswith(".png")]) == len(self.pictures)

    @invariant()
    def no_message_vanishes(self):
        for message in self.messages:
            if message.gone and not message.moved:
                assert self.is_painted(message) or self.letters_of(message)

    @invariant()
    def each_paid_call_follows_a_look_of_its_own(self):
        """No call is paid once the picture stands, unless it was stored between a look and the call that follows at once."""
        assert all(found is False for _, found in self.paid)

    @invariant()
    def a_delivery_pays_again_only_for_a_lost_answer(self):
        calls = Counter(id(delivery) for delivery, _ in self.paid)
        for delivery in {id(delivery): delivery for delivery, _ in self.paid}.values():
            assert calls[id(delivery)] <= 1 + delivery.outcomes.count(("invoke_model", "answer lost"))

    @invariant()
    def a_slow_model_is_paid_a_few_times_only(self):
        """More often only where a time-out could not be counted or the dead letter not be sent, or by a copy of the message."""
        for message in self.messages:
            outcomes = [each for delivery in message.deliveries for each in delivery.outcomes]
            hindered = sum(
                outcome.startswith("killed") or (call != "invoke_model" and outcome != "done")
                for call, outcome in outcomes
            )
            allowed = MAX_MODEL_TIMEOUTS + hindered + message.copies
            assert outcomes.count(("invoke_model", "answer late")) <= allowed

    @invariant()
    def each_dead_letter_says_why(self):
        for letter in self.sqs.sent:
            assert letter.queue == ENVIRONMENT["DEAD_LETTER_URL"]
            assert letter.attributes["reason"]
            assert letter.attributes["detail"]

    def is_painted(self, message):
        job = message.job
        stored = self.s3.objects.get(job.key("42")) if job else None
        return stored is not None and stored.metadata[generation.HASH_METADATA] == job.request_hash

    def letters_of(self, message):
        """The dead-letter messages of this message's job; a valid one keeps its id."""
        return [letter for letter in self.sqs.sent if self.is_same_job(letter.body, message)]

    def is_same_job(self, body, message):
        return Message("another-id", body).job == message.job if message.job else body == message.body

    def check_each_step(self):
        self.no_picture_changes()
        self.no_message_vanishes()
        self.each_paid_call_follows_a_look_of_its_own()
        self.a_delivery_pays_again_only_for_a_lost_answer()
        self.a_slow_model_is_paid_a_few_times_only()
        self.each_dead_letter_says_why()

    # --- what holds in the end, once every fault is over ---

    def check_the_end(self):
        for environment in sorted(self.running):
            self.finish(environment)
        self.drain()
        self.check_each_step()
        # One redrive: each dead letter is sent again, with its body alone.
        letters, self.sqs.sent[:] = [letter.body for letter in self.sqs.sent], []
        letters += [message.body for message in self.messages if message.moved]
        originals = list(self.messages)
        for number, body in enumerate(letters):
            self.messages.append(Message(originals[0].id[:-4] + f"9{number:03}", body))
        lacking = {message.job.key("42") for message in originals if message.job} - self.pictures.keys()
        paid = len(self.paid)
        self.drain()
        self.check_each_step()
        for message in originals:
            if message.moved and message.job and message.job.id == message.id:
                continue  # SQS moved it as it was: the bare prompt that is sent again is a new job
            rival = message.job and self.s3.objects.get(message.job.key("42"))
            assert self.is_painted(message) or self.letters_of(message), (message, rival)
            if not self.letters_of(message):
                assert self.is_painted(message)
            elif message.job:
                assert rival, "Only another request's picture keeps a job from its own."
                assert {letter.attributes["reason"] for letter in self.letters_of(message)} == {"Conflict"}
        renamed = sum(message.moved and bool(message.job) and message.job.id == message.id for message in originals)
        assert len(self.paid) - paid <= len(lacking) + renamed

    def drain(self):
        """Deliver one message after the other, as often as it takes."""
        for message in self.messages:
            while not message.gone:
                self.receive(message)
                for environment in sorted(self.running):
                    self.finish(environment)

    def teardown(self):
        try:
            self.check_the_end()
        finally:
            self.stop()

    def stop(self):
        """Leave no thread behind, whatever failed."""
        for delivery, _ in self.running.values():
            delivery.stop()


def machine_with(connected):
    """Make the machine's class for these workers."""

    class Here(Deliveries):
        workers = connected

    return Here


def test_no_order_of_faults_loses_overwrites_or_pays_after_the_picture(connected):
    # Each example is dozens of steps.
    examples = settings.default.max_examples // 8
    run_state_machine_as_test(machine_with(connected), settings=settings(stateful_step_count=30, max_examples=examples))


def store_over_whatever_is_there(s3, bucket, key, png, job, *, seed=None):
    metadata = {generation.HASH_METADATA: job.request_hash}
    s3.put_object(Bucket=bucket, Key=key, Body=png, ContentType="image/png", Metadata=metadata)
    return True


def ask_without_a_look(job, bedrock, is_stored, attempts):
    """As the SDK repeats a call: with the look that came before the first."""
    made = 0
    if is_stored():
        return None
    while True:
        try:
            return generation.ask(bedrock(job.model.region), job)
        except generation.REPEATABLE:
            made += 1
            if not attempts.wait(made):
                raise


JEEP, FJORD, _, BROKEN = BODIES
DELIVER, FINISH = object(), object()
# A delivery looks, and its call times out: as often as the redrive policy allows it.
LATE = [(0, "done"), (0, "answer late"), FINISH, DELIVER] * (MAX_RECEIVES - 1)


@pytest.mark.parametrize(
    ("name", "broken", "body", "steps"),
    [
        ("generation.find", lambda *_: False, FJORD, [FINISH, DELIVER]),
        ("generation.store", store_over_whatever_is_there, FJORD, [(0, "done"), DELIVER, (1, "done")]),
        ("give_up", lambda *_: None, BROKEN, []),
        ("body_with_id", lambda body, _id: body, JEEP, [(0, "done"), (0, "blocked")]),
        ("generation.ask_unless_stored", ask_without_a_look, FJORD, [(0, "done"), (0, "throttled"), FINISH]),
        ("with_timeouts_limited", lambda _record, _id, failure: failure, FJORD, LATE),
    ],
)
@pytest.mark.parametrize("is_broken", [True, False])
def test_the_model_finds_a_broken_worker(connected, monkeypatch, name, broken, body, steps, is_broken):
    """Each is caught by an order of steps that a sound worker passes."""
    place, _, attribute = name.rpartition(".")
    for worker in connected:
        owner = getattr(worker, place) if place else worker
        monkeypatch.setattr(owner, attribute, broken if is_broken else getattr(owner, attribute))
    machine = machine_with(connected)()
    machine.messages.append(Message("00000000-0000-4000-8000-000000000000", body))

    def run():
        machine.receive(machine.messages[0])
        for step in steps:
            if step is DELIVER:
                machine.receive(machine.messages[0])
            elif step is FINISH:
                machine.finish(0)
            elif machine.running:
                machine.step(*step)
        machine.check_the_end()

    try:
        with pytest.raises(AssertionError) if is_broken else contextlib.nullcontext():
            run()
    finally:
        machine.stop()
