import json

import pytest

from couch_explorers.exploration.axes import ExplorationError
from couch_explorers.exploration.prompt_files import read_prompts
from couch_explorers.exploration.sweep import Sweep


@pytest.fixture
def write(tmp_path):
    def make(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


@pytest.mark.parametrize(
    ("name", "content", "prompts"),
    [
        ("a.csv", 'name,prompt\njeep,"A jeep, at dusk"\nboat,A boat\n', {"jeep": "A jeep, at dusk", "boat": "A boat"}),
        ("a.csv", '\ufeffPrompt , NAME\r\n"A\njeep",jeep\r\n', {"jeep": "A\njeep"}),
        ("a.CSV", "prompt\nA jeep\n\nA boat\n", {"A jeep": "A jeep", "A boat": "A boat"}),
        ("a.jsonl", '{"name": "jeep", "prompt": "A\\njeep"}\n\n', {"jeep": "A\njeep"}),
        ("a.jsonl", '"A \u2028jeep"\n"A boat"', {"A jeep": "A \u2028jeep", "A boat": "A boat"}),
        ("a.txt", "A jeep\n\n  A boat  \r\n", {"A jeep": "A jeep", "A boat": "A boat"}),
        ("a.txt", "A {medium} of {cats}", {"A {medium} of {cats}": "A {medium} of {cats}"}),
    ],
)
def test_each_format_gives_its_prompts_by_their_names(write, name, content, prompts):
    assert read_prompts(write(name, content)) == prompts


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.xlsx", "x", r"a\.xlsx is no list of prompts: give a file that ends in \.csv, \.jsonl, \.txt"),
        ("a.txt", " \n\n", r"a\.txt has no prompts: write at least one"),
        ("a.csv", "", "has the columns prompt and, if wanted, name; here: none"),
        ("a.csv", "text\nA jeep\n", 'line 1: a list of prompts has the columns prompt .* here: "text"'),
        ("a.csv", "prompt,seed\nA jeep,7\n", 'here: "prompt", "seed"'),
        ("a.csv", "name,prompt\njeep,A jeep, at dusk\n", "line 2: the row has not as many fields as the header, 2"),
        ("a.csv", "name,prompt\njeep\n", "line 2: the row has not as many fields"),
        ("a.csv", 'prompt\n"A jeep\n', r"no CSV \(unexpected end of data\)"),
        ("a.csv", "name,prompt\njeep,A jeep\n,A boat\n", "line 3: the prompt has no name, and others have"),
        ("a.csv", "name,prompt\njeep,A jeep\njeep,A boat\n", '2 prompts have the name "jeep"'),
        ("a.csv", "name,prompt\njeep,\n", 'prompts holds "", which is no text'),
        ("a.jsonl", '"A jeep"\n{"prompt": \n', "line 2: no JSON"),
        ("a.jsonl", "7\n", "line 1: 7 is no prompt"),
        ("a.jsonl", '{"prompt": 7}\n', "prompts holds 7, which is no text"),
        ("a.jsonl", '{"prompt": "A jeep", "seed": 7}\n', 'line 1: .* fields prompt .* here: "prompt", "seed"'),
        ("a.txt", b"A jeep \xff", r"is no text in UTF-8 \(byte 8\)"),
        ("a.txt", "A jeep\nA jeep\n", 'prompts holds "A jeep" 2 times'),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_what_to_do(write, name, content, sentence):
    path = write(name, content)

    with pytest.raises(ExplorationError, match=sentence) as refused:
        read_prompts(path)

    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ExplorationError, match=r"There is no file .*none\.csv"):
        read_prompts(tmp_path / "none.csv")


def test_more_prompts_than_a_sweep_holds_are_refused_with_their_count(write):
    path = write("many.jsonl", "\n".join(json.dumps(f"A jeep {number}") for number in range(100_001)))

    with pytest.raises(ExplorationError, match="The axis prompts has 100,001 values"):
        read_prompts(path)


def test_a_sweep_takes_its_prompts_from_a_file(write):
    path = write("a.jsonl", '{"name": "cow", "prompt": "A {medium} of a cow"}')

    sweep = Sweep({"not": "used"}, prompts_file=path, variables={"medium": ["photo", "sketch"]})

    assert [cell.prompt for cell in sweep.cells()] == ["A photo of a cow", "A sketch of a cow"]
    assert Sweep(prompts_file=str(path), variables={"medium": ["photo", "sketch"]}) == sweep
    assert Sweep(**sweep.axes()) == sweep
