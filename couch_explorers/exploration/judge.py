"""A vision model as the judge of a sweep's pictures: planned before it is paid for, cached, and with a row for each failure."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from filelock import FileLock

from couch_explorers import checks, formatting
from couch_explorers.aws import lifecycle, vision_models
from couch_explorers.aws.lifecycle import LifecycleStatus
from couch_explorers.aws.vision_models import DEFAULT_VISION_MODEL_ID, STAND_IN_HEADER, VISION_PRICES_AS_OF, VisionModel
from couch_explorers.checks import Check, Verdict
from couch_explorers.core import generation
from couch_explorers.core.aws_errors import model_error
from couch_explorers.core.errors import (
    AccessDeniedError,
    BlockedError,
    GenerationError,
    PaymentMethodError,
    RetiredModelError,
    SubscriptionPendingError,
    ThrottledError,
    UnknownModelError,
)
from couch_explorers.exploration import judge_question, progress
from couch_explorers.exploration.grid import cell_views
from couch_explorers.exploration.judge_question import JudgeAnswerError
from couch_explorers.exploration.plan import NoPlan, check_concurrency, check_max_cost
from couch_explorers.exploration.ratings import picture_id, target_of
from couch_explorers.exploration.scores import Judgement, scores_file
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.html import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from couch_explorers.exploration.grid import CellView
    from couch_explorers.exploration.judge_question import PreparedPicture
    from couch_explorers.exploration.scores import Score
    from couch_explorers.workspace import Workspace

ATTEMPTS = 5
READ_TIMEOUT_S = 120.0
# Errors that end a run: every further call would fail in the same way.
FATAL = (AccessDeniedError, PaymentMethodError, RetiredModelError, SubscriptionPendingError)
FILTER_STOPS = ("content_filtered", "guardrail_intervened")
NO_RUBRIC = (
    'Nothing is judged without a rubric: rubric=["shows the Eiffel Tower", "polaroid look"] asks a vision model.'
)
STAND_IN_NOTE = "Local stand-in: no model has looked at the pictures."


class JudgeStatus(StrEnum):
    """The outcome of judging a picture."""

    JUDGED = "judged"  # asked in this run, and paid
    CACHED = "cached"  # judged before, with the same rubric, model and prompt version
    FILTERED = "filtered"  # a content filter withheld the answer
    THROTTLED = "throttled"  # the model was asked too often, retries included
    FAILED = "failed"  # anything else
    STOPPED = "stopped"  # not asked


# The columns of a judge's result, one row for each picture and criterion.
SCORE_COLUMNS = (
    "number", "id", "criterion", "score", "reason", "status", "note", "model", "stand_in", "seconds", "usd",
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A picture to be judged; `known` is the cached answer, `trouble` why the picture cannot be judged."""

    cell: CellView
    picture_id: str
    picture: PreparedPicture | None = None
    key: str = ""
    known: Judgement | None = None
    trouble: str = ""

    @property
    def new(self) -> bool:
        """Whether the model must be called."""
        return self.known is None and not self.trouble


@dataclass(frozen=True)
class JudgeOutcome:
    """The outcome of one task; `usd` is what was paid for it in this run."""

    task: Task
    status: JudgeStatus
    judgement: Judgement | None = None
    reason: str = ""
    seconds: float | None = None
    usd: float = 0.0


@dataclass(frozen=True)
class JudgePlan:
    """The calls that a judge would make and their cost, before they are paid for. A notebook shows it.

    `calls` pictures are new, `cached` have scores, `without` cells have no picture; tokens and `usd` are estimates, `most_usd`
    is the cost of the longest answers. `warning` says that the model is deprecated, `refusal` that it is not offered.
    """

    model: VisionModel
    rubric: Mapping[str, str]
    target: str
    tasks: tuple[Task, ...] = field(repr=False)
    without: int = 0
    warning: str = ""
    refusal: str = ""
    # The bytes of the scores file that were read.
    read_to: int = field(default=0, repr=False)

    @property
    def new(self) -> list[Task]:
        """The pictures for which the model must be called."""
        return [task for task in self.tasks if task.new]

    @property
    def calls(self) -> int:
        """The number of calls if every first answer is valid."""
        return len(self.new)

    @property
    def cached(self) -> int:
        """The number of pictures that have these scores already."""
        return sum(task.known is not None for task in self.tasks)

    @property
    def input_tokens(self) -> int:
        """Expected input tokens of all calls."""
        return sum(
            judge_question.input_tokens(task.picture, task.cell.prompt, self.rubric, self.model)
            for task in self.new
            if task.picture is not None
        )

    @property
    def output_tokens(self) -> int:
        """Expected output tokens of all calls."""
        return self.calls * judge_question.output_tokens(self.rubric)

    @property
    def usd(self) -> float:
        """Expected cost in USD."""
        return self.model.usd(self.input_tokens, self.output_tokens)

    @property
    def most_usd(self) -> float:
        """Cost in USD if every answer is as long as it may be."""
        return self.model.usd(self.input_tokens, self.calls * judge_question.most_output_tokens(self.rubric))

    @property
    def sentences(self) -> list[str]:
        """The plan in sentences."""
        cached = f"{self.cached} already judged" if self.cached else ""
        missing = f"{self.without} without a picture" if self.without else ""
        others = ", ".join(filter(None, (cached, missing)))
        criteria = formatting.count(len(self.rubric), "criterion", "criteria")
        lines = [
            f"{formatting.count(self.calls, 'picture')} to judge by {criteria} with {self.model.name}{f'; {others}' if others else ''}."
        ]
        if self.calls:
            cost = (
                f"{formatting.usd(self.usd)}, at most {formatting.usd(self.most_usd)} (prices of {VISION_PRICES_AS_OF})"
            )
            tokens = f"about {self.input_tokens:,} tokens in and {self.output_tokens:,} out"
            lines.append(
                f"{formatting.count(self.calls, 'call')}, {tokens}: {'on AWS ' if self.target == 'local' else ''}{cost}."
            )
        if self.target == "local":
            lines.append(STAND_IN_NOTE)
        return lines + [text for text in (self.warning, self.refusal) if text]

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        return {"text/html": "".join(f"<p>{escape(each)}</p>" for each in self.sentences), "text/plain": str(self)}


@dataclass(frozen=True)
class Judgements:
    """A judge's scores of a sweep's pictures. A notebook shows them with the outcome of the run and its verdict.

    `frame` has SCORE_COLUMNS, one row for each picture and criterion: score is 1 to 5, or missing, with the cause as reason;
    usd is the call's cost, divided among its criteria; stand_in marks scores of the local cloud.
    """

    frame: pd.DataFrame
    rubric: Mapping[str, str]
    model: VisionModel
    target: str
    outcomes: tuple[JudgeOutcome, ...] = field(repr=False)
    unstarted: str = ""

    @property
    def stand_in(self) -> bool:
        """Whether any score comes from the local cloud's stand-in."""
        return any(found.judgement.stand_in for found in self.outcomes if found.judgement is not None)

    @property
    def by_id(self) -> dict[str, Judgement]:
        """The judgements by picture id."""
        return {found.task.picture_id: found.judgement for found in self.outcomes if found.judgement is not None}

    @property
    def checks(self) -> tuple[Check, ...]:
        """BAD if no picture could be judged, WARN if some could not; empty without a rubric."""
        if not self.rubric:
            return ()
        if not self.outcomes:
            return (Check("judge", Verdict.NO_DATA, 0.0, "There is no picture to judge."),)
        judged = len(self.by_id)
        verdict = Verdict.OK if judged == len(self.outcomes) else Verdict.WARN if judged else Verdict.BAD
        reasons = Counter(found.reason for found in self.outcomes if found.judgement is None)
        failures = " ".join(f"{times} x {reason}" for reason, times in reasons.most_common(3))
        seconds = sum(found.seconds or 0.0 for found in self.outcomes)
        return (Check("judge", verdict, round(seconds, 3), f"{self.sentence} {failures}".strip()),)

    @property
    def sentence(self) -> str:
        """The outcome of the run."""
        if not self.rubric:
            return self.unstarted
        statuses = Counter(found.status for found in self.outcomes)
        counts = ", ".join(f"{statuses[status]} {status}" for status in JudgeStatus if statuses[status])
        paid = sum(found.usd for found in self.outcomes)
        where = "on AWS " if self.target == "local" else ""
        cost = f"{where}{formatting.usd(paid)} (prices of {VISION_PRICES_AS_OF})" if paid else "nothing was paid"
        summary = f"{formatting.count(len(self.outcomes), 'picture')} by {self.model.name}: {counts or 'none'}; {cost}."
        return f"{summary} {STAND_IN_NOTE}" if self.stand_in or self.target == "local" else summary

    def __str__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        if not self.rubric:
            return {"text/html": f"<p>{escape(self.sentence)}</p>", "text/plain": self.sentence}
        shown = render(
            "exploration/scores.html.j2",
            sentence=self.sentence,
            criteria=self.rubric,
            rows=[
                {
                    "number": found.task.cell.number,
                    "name": found.task.cell.prompt_name,
                    "scores": list(found.judgement.scores.values()) if found.judgement is not None else [],
                    "mean": f"{found.judgement.mean:.1f}" if found.judgement is not None else "",
                    "status": found.status,
                    "reason": found.reason,
                    "note": found.judgement.note if found.judgement is not None else "",
                }
                for found in self.outcomes[:MAX_ROWS_SHOWN]
            ],
            hidden=max(0, len(self.outcomes) - MAX_ROWS_SHOWN),
        )
        return checks.bundle(self.checks, shown + checks.table(self.checks)) | {"text/plain": self.sentence}


# Rows that a notebook shows; the frame has all.
MAX_ROWS_SHOWN = 60


def plan_judging(
    pictures: pd.DataFrame,
    rubric: Sequence[str] | Mapping[str, str],
    model: str | VisionModel = DEFAULT_VISION_MODEL_ID,
    *,
    workspace: Workspace | None = None,
    errors: Literal["raise", "show"] = "raise",
) -> JudgePlan | NoPlan:
    """Plan the calls of `judge` and their cost; only asks the target whether it offers the model.

    Args:
        pictures: a sweep's result; cells without a picture are counted and left out.
        rubric: the criteria, as texts or as a mapping from name to text.
        model: a vision model's id, an inference profile, or a custom VisionModel (`aws.vision_models`).
        workspace: the target's; by default that of the pictures.
        errors: with "show", an empty rubric is not an error: the plan says that nothing is judged.

    Raises:
        ExplorationError: the frame, the rubric or the model is invalid.

    """
    if not rubric and errors == "show":
        return NoPlan(NO_RUBRIC, Verdict.SKIPPED)
    return _plan(pictures, rubric, model, workspace)


def _plan(
    pictures: pd.DataFrame,
    rubric: Sequence[str] | Mapping[str, str],
    model: str | VisionModel,
    workspace: Workspace | None,
) -> JudgePlan:
    criteria, judging_model, target = judge_question.parse_rubric(rubric), _find_model(model), target_of(pictures)
    lines, read_to = scores_file(target).tail(0)
    known = {line.key: line for line in lines}
    tasks, without = _tasks(pictures, criteria, judging_model, known)
    warning = refusal = ""
    if any(task.new for task in tasks):
        workspace = workspace or _connect(target)
        found = _lifecycle(workspace, judging_model)
        warning_text = lifecycle.warning(judging_model, found, vision_models.alternative(judging_model).id)
        warning, refusal = ("", warning_text) if found.status is LifecycleStatus.GONE else (warning_text, "")
    return JudgePlan(judging_model, criteria, target, tuple(tasks), without, warning, refusal, read_to)


def judge(
    pictures: pd.DataFrame,
    rubric: Sequence[str] | Mapping[str, str],
    model: str | VisionModel = DEFAULT_VISION_MODEL_ID,
    *,
    workspace: Workspace | None = None,
    concurrency: int = 8,
    max_cost_usd: float | None = None,
    errors: Literal["raise", "show"] = "raise",
) -> Judgements:
    """Have a vision model score each picture of a sweep by each criterion, from 1 to 5 with a reason.

    A picture that was judged before with the same rubric, model and prompt version costs nothing. An invalid answer is
    retried once. Each answer is saved as soon as it arrives, in `Home.scores(target)`.

    Args:
        pictures: a sweep's result; cells without a picture are left out.
        rubric: the criteria, as texts or as a mapping from name to text.
        model: a vision model's id, an inference profile, or a custom VisionModel (`aws.vision_models`).
        workspace: the target's; by default that of the pictures.
        concurrency: calls at a time.
        max_cost_usd: no call is made if the plan's `most_usd` is higher; retries are made only within it.
        errors: with "show", an error before the start becomes the reason of every row, and without a rubric nothing is judged.

    Returns:
        The scores. A failed call is a row; if all further calls would fail in the same way, they are not made.

    Raises:
        ExplorationError: before the first call: like `plan_judging`, for a model that the target does not offer, and for a
            plan over `max_cost_usd`.

    """
    if not rubric and errors == "show":
        return _not_judged(target_of(pictures), _find_model(model))
    check_concurrency(concurrency)
    check_max_cost(max_cost_usd)
    workspace = workspace or _connect(target_of(pictures))
    plan = _plan(pictures, rubric, model, workspace)
    refusal = plan.refusal
    if max_cost_usd is not None and not refusal and round(plan.most_usd, 6) > max_cost_usd:
        refusal = (
            f"Judging {formatting.count(plan.calls, 'picture')} costs about {formatting.usd(plan.usd)}, at most {formatting.usd(plan.most_usd)}, more than "
            f"max_cost_usd={max_cost_usd:g}: raise the limit, or choose fewer pictures or criteria."
        )
    if refusal and errors == "raise":
        raise ExplorationError(refusal)
    run = _Run(plan, workspace, concurrency, max_cost_usd)
    outcomes = run.unstarted(refusal) if refusal else run.go()
    return Judgements(_frame(outcomes, plan), plan.rubric, plan.model, plan.target, tuple(outcomes), refusal)


def _not_judged(target: str, model: VisionModel) -> Judgements:
    """Return the result without a rubric: no rows."""
    return Judgements(_frame((), JudgePlan(model, {}, target, ())), {}, model, target, (), NO_RUBRIC)


class _Run:
    """The state shared by the threads of a run."""

    def __init__(self, plan: JudgePlan, workspace: Workspace, concurrency: int, max_cost_usd: float | None) -> None:
        self._plan, self._concurrency = plan, concurrency
        self._file = scores_file(plan.target)
        # Created here, because boto3's clients are thread-safe, but creating them is not.
        self._client = generation.bedrock_client(
            plan.model.region,
            attempts=ATTEMPTS,
            read_timeout_s=READ_TIMEOUT_S,
            session=workspace.session,
            max_pool_connections=concurrency,
        )
        self._lock = threading.Lock()
        # USD left for retries.
        self._spare = math.inf if max_cost_usd is None else max_cost_usd - plan.most_usd
        self._fatal = ""
        self._added: dict[str, Judgement] = {}
        self._read_to = plan.read_to

    def unstarted(self, reason: str) -> list[JudgeOutcome]:
        """Return the outcomes of a run that was not started: cached answers, and the reason for all others."""
        return [
            self._without_call(task) or JudgeOutcome(task, JudgeStatus.STOPPED, reason=reason)
            for task in self._plan.tasks
        ]

    def go(self) -> list[JudgeOutcome]:
        """Judge everything new, several at a time; an interrupt stops further calls, and answers so far are kept."""
        found = {task.picture_id: known for task in self._plan.tasks if (known := self._without_call(task)) is not None}
        waiting = [task for task in self._plan.tasks if task.picture_id not in found]
        if waiting:
            pool = ThreadPoolExecutor(min(self._concurrency, len(waiting)), thread_name_prefix="judge")
            try:
                with progress.track(len(waiting), "judge") as bar:
                    for done in as_completed([pool.submit(self._judge, task) for task in waiting]):
                        outcome = done.result()
                        found[outcome.task.picture_id] = outcome
                        bar.step()
            finally:
                self._fatal = self._fatal or "The run was interrupted."
                pool.shutdown(wait=False, cancel_futures=True)
        return [found[task.picture_id] for task in self._plan.tasks]

    def _without_call(self, task: Task) -> JudgeOutcome | None:
        if task.known is not None:
            return self._reuse(task, task.known)
        return JudgeOutcome(task, JudgeStatus.FAILED, reason=task.trouble) if task.trouble else None

    def _reuse(self, task: Task, known: Judgement) -> JudgeOutcome:
        """Reuse a cached answer; one for another picture with the same pixels and prompt is saved under this one's id."""
        if known.id != task.picture_id:
            known = replace(known, id=task.picture_id, usd=0.0)
            with self._lock:
                self._file.add(known)
        return JudgeOutcome(task, JudgeStatus.CACHED, known)

    def _added_since(self) -> dict[str, Judgement]:
        """Return what this or another process has added to the file since the run began."""
        with self._lock:
            lines, self._read_to = self._file.tail(self._read_to)
            self._added.update({line.key: line for line in lines})
            return self._added

    def _judge(self, task: Task) -> JudgeOutcome:
        """Judge one picture, unless another process is doing so; any error affects this row only."""
        if self._fatal:
            return JudgeOutcome(task, JudgeStatus.STOPPED, reason=f"Not asked. {self._fatal}")
        begin = time.monotonic()
        try:
            claim = self._file.path.with_name(f"{task.key}.lock")
            claim.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(claim) as lock:
                if (known := self._added_since().get(task.key)) is not None:
                    return self._reuse(task, known)
                try:
                    return self._ask(task, begin)
                finally:
                    with suppress(OSError):
                        claim.unlink(missing_ok=True)
                    lock.release()
        except Exception as error:  # noqa: BLE001 - any error is this picture's outcome
            status: dict[type[Exception], JudgeStatus] = {
                ThrottledError: JudgeStatus.THROTTLED,
                BlockedError: JudgeStatus.FILTERED,
            }
            if isinstance(error, FATAL):
                self._fatal = str(error)
            reason = f"{error.reason}: {error.detail}" if isinstance(error, GenerationError) else str(error)
            return JudgeOutcome(task, status.get(type(error), JudgeStatus.FAILED), None, reason, _since(begin))

    def _ask(self, task: Task, begin: float) -> JudgeOutcome:
        plan, picture = self._plan, task.picture
        if picture is None:
            raise ExplorationError("There is no picture to judge.")
        request = judge_question.question(picture, task.cell.prompt, plan.rubric, plan.model)
        answer = self._converse(request)
        usd = _cost(answer, plan.model)
        try:
            scores = judge_question.read_answer(answer, plan.rubric)
        except JudgeAnswerError as problem:
            if not self._may_retry(task):
                reason = f"{problem} It was not retried, because of max_cost_usd."
                return JudgeOutcome(task, JudgeStatus.FAILED, None, reason, _since(begin), usd)
            answer = self._converse(judge_question.retry_question(request, answer, str(problem)))
            usd += _cost(answer, plan.model)
            try:
                scores = judge_question.read_answer(answer, plan.rubric)
            except JudgeAnswerError as second:
                reason = f"{plan.model.name} was called twice and returned no valid scores. {second}"
                return JudgeOutcome(task, JudgeStatus.FAILED, None, reason, _since(begin), usd)
        return self._keep(task, scores, answer, usd, begin)

    def _keep(
        self, task: Task, scores: dict[str, Score], answer: Mapping[str, Any], usd: float, begin: float
    ) -> JudgeOutcome:
        stand_in = STAND_IN_HEADER in answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        judgement = Judgement(
            key=task.key,
            id=task.picture_id,
            model=self._plan.model.id,
            scores=scores,
            usd=usd,
            stand_in=stand_in,
            at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            note=task.picture.note if task.picture is not None else "",
        )
        with self._lock:
            self._file.add(judgement)
        return JudgeOutcome(task, JudgeStatus.JUDGED, judgement, "", _since(begin), usd)

    def _converse(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call the model; raises GenerationError for any failure."""
        model = self._plan.model
        try:
            answer: dict[str, Any] = self._client.converse(**request)
        except (BotoCoreError, ClientError) as error:
            raise model_error(model, error, vision_models.alternative(model).id) from error
        if answer.get("stopReason") in FILTER_STOPS:
            raise BlockedError(f"The content filter of {model.name} withheld the scores.")
        return answer

    def _may_retry(self, task: Task) -> bool:
        """Reserve the cost of a retry; return False if it is over the limit."""
        model, rubric = self._plan.model, self._plan.rubric
        if task.picture is None:
            return False
        max_output = judge_question.most_output_tokens(rubric)
        # The first answer is part of the retry's input.
        input_tokens = judge_question.input_tokens(task.picture, task.cell.prompt, rubric, model) + max_output
        with self._lock:
            self._spare -= (cost := model.usd(input_tokens, max_output))
            if self._spare >= 0:
                return True
            self._spare += cost
            return False


def _tasks(
    pictures: pd.DataFrame, rubric: Mapping[str, str], model: VisionModel, known: Mapping[str, Judgement]
) -> tuple[list[Task], int]:
    """Look up the cached answer for each picture; a picture that several cells show is judged once."""
    tiles = [tile for tile in cell_views(pictures) if tile.path is not None]
    unique = {picture_id(tile): tile for tile in reversed(tiles)}
    with ThreadPoolExecutor(thread_name_prefix="judge-read") as pool:
        found = pool.map(lambda item: _task(item[0], item[1], rubric, model, known), reversed(unique.items()))
        return list(found), len(pictures) - len(tiles)


def _task(
    name: str, cell: CellView, rubric: Mapping[str, str], model: VisionModel, known: Mapping[str, Judgement]
) -> Task:
    path: Path | None = cell.path
    if path is None:
        return Task(cell, name, trouble="The cell has no picture.")
    try:
        picture = judge_question.prepare_picture(path, model)
    except ExplorationError as error:
        return Task(cell, name, trouble=str(error))
    key = judge_question.question_key(picture, cell.prompt, rubric, model)
    return Task(cell, name, picture, key, known.get(key))


def _find_model(model: str | VisionModel) -> VisionModel:
    if isinstance(model, VisionModel):
        return model
    try:
        return vision_models.get(model)
    except UnknownModelError as error:
        raise ExplorationError(error.detail) from error


def _connect(target: str) -> Workspace:
    from couch_explorers import workspace  # noqa: PLC0415 - imports boto3, which is slow

    return workspace.connect(target)


def _lifecycle(workspace: Workspace, model: VisionModel) -> lifecycle.Lifecycle:
    client = workspace.client("bedrock", model.region)
    try:
        return lifecycle.fetch(client, model.id)
    except BotoCoreError as error:
        return lifecycle.Lifecycle(LifecycleStatus.UNKNOWN, f"{type(error).__name__}: {error}")


def _frame(outcomes: Sequence[JudgeOutcome], plan: JudgePlan) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

    rows = []
    for found in outcomes:
        judgement = found.judgement
        for criterion in plan.rubric:
            score = judgement.scores[criterion] if judgement is not None else None
            rows.append(
                (
                    found.task.cell.number,
                    found.task.picture_id,
                    criterion,
                    score.score if score is not None else None,
                    score.reason if score is not None else found.reason,
                    str(found.status),
                    judgement.note if judgement is not None else "",
                    plan.model.id,
                    judgement.stand_in if judgement is not None else plan.target == "local",
                    found.seconds,
                    found.usd / len(plan.rubric),
                ),
            )
    frame = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    types = {"number": "int64", "score": "Int64", "stand_in": "bool", "seconds": "float64", "usd": "float64"}
    return frame.astype({name: types.get(name, "str") for name in SCORE_COLUMNS})


def _cost(answer: Mapping[str, Any], model: VisionModel) -> float:
    usage = answer.get("usage", {})
    return model.usd(int(usage.get("inputTokens", 0)), int(usage.get("outputTokens", 0)))


def _since(begin: float) -> float:
    return round(time.monotonic() - begin, 3)
