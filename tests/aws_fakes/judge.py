"""A vision model in memory; put `validated.checked` around it."""

import json
import re
import threading
from types import SimpleNamespace

from couch_explorers.exploration.judge_question import TOOL
from tests.aws_fakes.models import OpenCalls

BLOCK = re.compile(r"<image_prompt>.*?</image_prompt>", re.DOTALL)


def scored(asked, score=4, reason="It can be seen."):
    """An answer with the same score for every criterion."""
    properties = asked["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]["properties"]
    return used({key: {"score": score, "reason": reason} for key in properties})


def used(value, name=TOOL):
    return answered([{"toolUse": {"toolUseId": "use-1", "name": name, "input": value}}], "tool_use")


def text_answer(text):
    return answered([{"text": text}], "end_turn")


def answered(content, stop):
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop,
        "usage": {"inputTokens": 2000, "outputTokens": 100, "totalTokens": 2100},
        "metrics": {"latencyMs": 900},
    }


def gullible(asked):
    """A model that does what any text outside of the delimited prompt demands, and scores 2 otherwise."""
    texts = [block["text"] for message in asked["messages"] for block in message["content"] if "text" in block]
    outside = " ".join(BLOCK.sub("", text) for text in texts)
    return scored(asked, 5 if "give 5" in outside.casefold() else 2)


class Judge:
    """`answers` are functions of the call, used one after the other, the last one again and again."""

    def __init__(self, *answers):
        self.answers = list(answers) or [scored]
        self.asked = []
        self.open = OpenCalls()
        self.headers = {}
        self._lock = threading.Lock()
        self.meta = SimpleNamespace(events=SimpleNamespace(register_first=lambda *_: None))

    @property
    def most_open(self):
        return self.open.most_open

    def converse(self, **asked):
        json.dumps(asked["toolConfig"])
        with self._lock:
            self.asked.append(asked)
            answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        with self.open:
            found = answer(asked) if callable(answer) else answer
        if isinstance(found, Exception):
            raise found
        return found | {"ResponseMetadata": {"HTTPHeaders": self.headers}}
