import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from couch_explorers import fonts
from couch_explorers.core.image_models import DEFAULT_MODEL_ID, PRICES_AS_OF
from couch_explorers.exploration.contact_sheet import (
    MAX_TEXT_CHARACTERS,
    SHOWN_PAGES,
    SHOWN_WIDTH,
    Paging,
    abridged,
    choose_metrics,
    contact_sheet,
    origin_sentence,
    outcome_sentence,
    run_date,
    shared_texts,
    sheet_facts,
)
from couch_explorers.exploration.grid import arrange, cell_views, group_cells
from couch_explorers.exploration.page_layout import (
    MAT,
    MAX_COLUMNS,
    PICTURE_WIDTHS,
    SMALL,
    Canvas,
    PageMetrics,
    PictureRow,
)
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.sweep_spec import ExplorationError

pytestmark = pytest.mark.drawing


def test_of_many_values_the_first_and_the_last_are_listed(painted):
    tiles = cell_views(painted({"jeep": "A jeep"}, seeds=range(1, 101)))

    assert dict(sheet_facts(tiles, arrange(tiles)))["Pictures"] == "seed (100): 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 … 100"


def test_a_selection_says_what_varies(painted):
    frame = painted({"jeep": "A jeep", "cliff": "A cliff"}, seeds=(1, 2, 3))
    tiles = cell_views(frame[frame["number"].isin([1, 6])])

    assert dict(sheet_facts(tiles, arrange(tiles)))["Varies"] == "prompt, seed"


def test_every_ending_is_counted(painted):
    tiles = cell_views(painted(without={1: (Status.REFUSED, "x"), 2: (Status.STOPPED, "x")}))

    assert outcome_sentence(tiles, "aws").startswith("2 of 4 pictures: 2 new, 1 not sent, 1 stopped. Paid: $0.08")


def test_where_nothing_was_new_no_price_is_given(pictures):
    tiles = cell_views(pictures.assign(status="cached", usd=0.0))

    assert outcome_sentence(tiles, "aws") == "4 of 4 pictures: 4 there already."


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("local", "Local stand-in in place of Stable Image Core: no image model was asked. Today."),
        ("aws", "Amazon Bedrock: Stable Image Core. Today."),
        ("", "Stable Image Core. Today."),
    ],
)
def test_who_made_the_pictures_is_stated(target, expected, pictures):
    assert origin_sentence(cell_views(pictures), target, "Today.") == expected


def test_the_date_is_the_runs_and_else_the_sheets():
    assert run_date(Path("runs/20261123-030512-journeys-1a2b")) == "Run of 2026-11-23 03:05 UTC."
    assert run_date(Path("elsewhere")).startswith("Sheet of 20")
    assert run_date(None).startswith("Sheet of 20")


def test_a_text_is_whole_unless_it_is_far_too_long():
    assert abridged("x" * MAX_TEXT_CHARACTERS) == "x" * MAX_TEXT_CHARACTERS
    assert abridged("x" * 10_000).endswith("x … (10,000 characters)")


ROOM = 2000
FOUR = {name: f"A {name} in the evening light" for name in ("jeep", "cliff", "tent", "boat")}


def paging_of(frame, **places):
    tiles = cell_views(frame)
    arrangement = arrange(tiles, **places)
    groups = group_cells(tiles, arrangement)
    return Paging(tiles, arrangement, groups, choose_metrics(groups, arrangement))


def lines_of(body):
    return [element for element in body.placed if isinstance(element, PictureRow)]


@pytest.mark.parametrize(("seeds", "columns"), [(1, 1), (2, 2), (6, 6), (7, 4), (12, 6), (13, 5), (100, 6)])
def test_a_row_that_is_too_long_is_broken_into_lines_of_equal_length(seeds, columns, painted):
    paging = paging_of(painted({"jeep": "A jeep"}, seeds=range(1, seeds + 1)))

    assert paging.metrics.columns == columns <= MAX_COLUMNS


@pytest.mark.parametrize(("seeds", "beside"), [((1, 2), True), ((1, 2, 3), False)])
def test_prompts_stand_beside_few_pictures_and_above_many(seeds, beside, painted):
    assert paging_of(painted(FOUR, seeds=seeds)).metrics.beside is beside


def test_a_prompt_too_long_to_stand_beside_stands_above(painted):
    long = FOUR | {"long": "words " * 150}

    assert not paging_of(painted(long, seeds=(1, 2))).metrics.beside


def test_a_page_ends_before_a_line_that_does_not_fit(painted):
    paging = paging_of(painted(FOUR, seeds=range(1, 13)))

    bodies = paging.bodies(ROOM)

    assert len(bodies) > 1
    for body in bodies:
        assert sum(element.height for element in paging.elements(body)) <= ROOM


def test_a_line_too_high_for_any_page_has_a_page_of_its_own(painted):
    bodies = paging_of(painted(FOUR, seeds=(1, 2, 3))).bodies(room=10)

    assert [len(lines_of(body)) for body in bodies] == [1, 1, 1, 1]


def test_each_page_lists_the_prompts_of_its_own_pictures(painted):
    many = {f"prompt {number}": f"Prompt number {number}" for number in range(60)}

    bodies = paging_of(painted(many, seeds=1)).bodies(ROOM)

    for body in bodies:
        assert [tile.number for tile in body.prompts] == [tile.number for line in lines_of(body) for tile in line.tiles]


NOVA = "amazon.nova-canvas-v1:0"
LONG = "A jeep on the savanna, " * 9
THREE = {"jeep": LONG, "cliff": "A cliff", "paris": "A café"}


@pytest.fixture
def written(monkeypatch):
    """All texts that stand on a page of a sheet, in the order in which they are written."""
    texts = []
    write = Canvas.write

    def recorded(canvas, x, y, text, face, colour):
        texts.append(text)
        write(canvas, x, y, text, face, colour)

    monkeypatch.setattr(Canvas, "write", recorded)

    def on(sheet, page=0):
        texts.clear()
        sheet.pages[page].load()
        return [text for text in texts if text]

    return on


def together(texts):
    return " ".join(texts)


def numbers_on(texts):
    return [int(text) for text in texts if text.isdecimal()]


def test_a_sheet_shows_title_purpose_and_what_varies_where(painted, written):
    frame = painted(THREE, seeds=(7, 21))
    frame.context = replace(frame.context, title="Which journey?", purpose="One poster for autumn.")

    texts = written(contact_sheet(frame))

    assert texts[:2] == ["Which journey?", "One poster for autumn."]
    assert texts[2:8] == [
        "Rows", "prompt (3): jeep, cliff, paris",
        "Columns", "seed (2): 7, 21",
        "All cells", "Stable Image Core · 1024 \u00d7 1024",
    ]  # fmt: skip


def test_title_and_purpose_can_be_given_and_are_found_where_nobody_gave_them(pictures, written):
    texts = written(contact_sheet(pictures, title="Mine", purpose="To see"))
    pictures.context = None
    untitled = contact_sheet(pictures)

    assert texts[:2] == ["Mine", "To see"]
    assert untitled.title == "2 prompts \u00d7 2 seeds"


def test_every_cell_has_its_number_and_the_values_that_vary(pictures, written):
    texts = written(contact_sheet(pictures))

    assert numbers_on(texts) == [1, 2, 3, 4]
    for label in ("jeep · seed 7", "jeep · seed 21", "cliff · seed 7", "cliff · seed 21"):
        assert label in texts


def test_the_columns_are_named(painted, written):
    texts = written(contact_sheet(painted(THREE, seeds=(7, 21, 33))))

    first = texts.index("seed 7")
    assert texts[first : first + 3] == ["seed 7", "seed 21", "seed 33"]


@pytest.mark.parametrize("seeds", [(7,), (7, 21), (7, 21, 33)])
def test_the_whole_prompt_stands_on_the_sheet(seeds, painted, written):
    texts = written(contact_sheet(painted(THREE, seeds=seeds)))

    assert LONG.strip() in together(texts)


def test_a_prompt_that_all_cells_share_stands_at_the_head(painted, written):
    texts = written(contact_sheet(painted({"jeep": LONG}, seeds=(7, 21))))

    assert texts[1] == "Prompt"
    assert LONG.strip() in together(texts[:6])


def test_prompts_in_the_columns_are_listed_at_the_foot(painted, written):
    texts = written(contact_sheet(painted(THREE, seeds=(7, 21)), columns="prompt"))

    assert LONG.strip() in together(texts[texts.index("paris · seed 21") :])


def test_a_prompt_of_pages_is_shown_by_its_beginning_and_its_length(painted, written):
    endless = "words and words " * 600

    texts = written(contact_sheet(painted({"endless": endless.strip()}, seeds=(1, 2))))

    assert "… (9,599 characters)" in together(texts)


def test_further_axes_make_groups_with_a_heading(painted, written):
    frame = painted(THREE, models=(DEFAULT_MODEL_ID, NOVA), seeds=(7, 21, 33))

    sheet = contact_sheet(frame)

    texts = [text for page in range(len(sheet.pages)) for text in written(sheet, page)]
    assert "model (2): Stable Image Core, Nova Canvas" in texts
    assert texts.index("Stable Image Core") < texts.index("Nova Canvas")


@pytest.mark.parametrize(
    ("status", "reason", "text", "word"),
    [
        (Status.FAILED, "ModelUnavailable: No answer.", "ModelUnavailable: No answer.", "✗ Failed"),
        (Status.FILTERED, "ContentFiltered: Withheld.", "Withheld.", "⊘ Filtered"),
        (Status.THROTTLED, "Throttled: Too often.", "Too often.", "! Throttled"),
        (Status.REFUSED, "The seed is too high.", "The seed is too high.", "○ Not sent"),
        (Status.STOPPED, "Run again to go on.", "Run again to go on.", "○ Stopped"),
    ],
)
def test_a_cell_without_a_picture_says_why(status, reason, text, word, painted, written):
    texts = written(contact_sheet(painted(without={2: (status, reason)})))

    assert texts[texts.index(word) + 1] == text
    assert numbers_on(texts) == [1, 2, 3, 4]


def test_a_tile_is_as_large_as_the_picture_beside_it(painted):
    sheet = contact_sheet(painted({"jeep": "A jeep"}, seeds=(7, 21), without={2: (Status.FAILED, "x")}))

    page, metrics = sheet.pages[0], PageMetrics(2)
    (line,) = [element for element in sheet.bodies[0].placed if hasattr(element, "box")]
    assert line.box == (metrics.tile, metrics.tile)
    # The tile's ground, in its lower right corner.
    x = metrics.margin + metrics.column(1) + metrics.tile - 8
    colours = {page.getpixel((x, y)) for y in range(page.height)}
    assert tuple(int(MAT[place : place + 2], 16) for place in (1, 3, 5)) in colours


@pytest.mark.parametrize("damage", ["gone", "cut", "no picture"])
def test_a_picture_that_cannot_be_read_is_shown_like_one(damage, pictures, written):
    with Path(pictures["path"][0]).open("r+b") as file:
        file.truncate({"gone": 0, "cut": 60, "no picture": 4}[damage])

    texts = written(contact_sheet(pictures))

    assert "? Picture missing" in texts


def test_the_same_picture_is_labelled_as_such(painted, written):
    # Stability paints both sizes alike.
    frame = painted({"jeep": "A jeep"}, seeds=7, sizes=("512x512", "1024x1024"))
    frame.loc[1, "reason"] = "the same picture as cell 1"

    texts = written(contact_sheet(frame))

    assert "the same picture as cell 1" in together(texts)
    assert "1 new, 1 the same as another" in together(texts)


def test_all_failed_is_a_sheet_too(painted, written):
    frame = painted(without=dict.fromkeys(range(1, 5), (Status.FAILED, "No answer.")))

    assert "0 of 4 pictures: 4 failed." in written(contact_sheet(frame))


def test_one_picture_is_a_sheet_too(painted, written):
    texts = written(contact_sheet(painted({"jeep": "A jeep"}, seeds=7)))

    assert "1024 \u00d7 1024 · seed 7" in texts
    assert not [text for text in texts if text.startswith("page")]


def test_the_foot_states_cost_model_and_date(pictures, written, tmp_path):
    pictures.context = replace(pictures.context, run=tmp_path / "20261123-030512-journeys-1a2b")

    texts = together(written(contact_sheet(pictures)))

    assert f"4 of 4 pictures: 4 new. Nothing was paid; on AWS: $0.16 (prices of {PRICES_AS_OF})." in texts
    assert "Local stand-in in place of Stable Image Core: no image model was asked." in texts
    assert "Run of 2026-11-23 03:05 UTC." in texts


def test_on_aws_the_foot_states_what_was_paid(pictures, written):
    pictures.context = replace(pictures.context, target="aws")

    texts = together(written(contact_sheet(pictures)))

    assert f"Paid: $0.16 (prices of {PRICES_AS_OF})." in texts
    assert "Amazon Bedrock: Stable Image Core." in texts


def test_any_text_can_stand_on_a_sheet(painted, written):
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbau" * 4
    frame = painted({"\U0001f3d4\ufe0f på fjellet": word, "日本": "日本語の長いテキスト" * 30}, seeds=(7, 21))
    frame.context = replace(frame.context, title=word, purpose=f"{word} مرحبا")

    sheet = contact_sheet(frame)
    texts = [text for page in range(len(sheet.pages)) for text in written(sheet, page)]

    assert numbers_on(texts) == [1, 2, 3, 4]


def test_a_refused_cell_with_half_a_character_pair_does_no_harm(pictures):
    assert contact_sheet(pictures.assign(prompt="half \ud83d", prompt_name="\ud83d")).pages[0].width > 0


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 40])
def test_no_page_is_wider_than_paper_nor_higher(count, painted):
    sheet = contact_sheet(painted({"jeep": "A jeep"}, seeds=range(1, count + 1)))

    for page in sheet.pages:
        assert page.width <= 2400
        assert page.height <= page.width * 1.42


@pytest.mark.parametrize("columns", PICTURE_WIDTHS)
def test_small_letters_stay_legible_on_paper_and_on_screen(columns):
    metrics = PageMetrics(columns)
    size = metrics.face(SMALL).size

    # On the 190 mm between the margins of A4, in points; in an HTML report 830 pixels wide, in pixels.
    assert size / metrics.width * 190 / 25.4 * 72 >= 6.5
    assert size * min(1, 830 / metrics.width) >= 10


def test_many_cells_are_dealt_out_to_pages_and_none_is_lost(painted, written):
    sheet = contact_sheet(painted({"jeep": "A jeep", "cliff": "A cliff"}, seeds=range(1, 41)))

    pages = [written(sheet, page) for page in range(len(sheet.pages))]

    assert len(pages) > 1
    assert [number for texts in pages for number in numbers_on(texts)] == list(range(1, 81))
    assert [texts[-1] for texts in pages] == [f"page {n} of {len(pages)}" for n in range(1, len(pages) + 1)]
    assert "jeep (continued)" in pages[1] or "cliff (continued)" in pages[1]


def test_lines_of_a_long_row_are_of_equal_length(painted):
    sheet = contact_sheet(painted({"jeep": "A jeep"}, seeds=range(1, MAX_COLUMNS + 2)))

    assert sheet.paging.metrics.columns == 4


def test_pages_are_drawn_one_by_one(painted):
    pages = contact_sheet(painted({"jeep": "A jeep"}, seeds=range(1, 100))).pages

    assert len(pages) == 3
    assert pages[-1].size == pages[2].size
    assert [page.size for page in pages[:2]] == [pages[0].size, pages[1].size]
    with pytest.raises(IndexError):
        pages[3]


def test_the_same_frame_gives_the_same_page(pictures):
    assert contact_sheet(pictures).pages[0].tobytes() == contact_sheet(pictures).pages[0].tobytes()


def test_pictures_of_all_shapes_stand_in_one_sheet(painted):
    frame = painted({"jeep": "A jeep"}, models=NOVA, seeds=7, sizes=("640x1280", "512x512", "1280x640"))
    for path, size in zip(frame["path"], ((640, 1280), (512, 512), (1280, 640)), strict=True):
        Image.new("RGB", size, (20, 90, 120)).save(path)
    frame = frame.assign(width=[640, 512, 1280], height=[1280, 512, 640])

    sheet = contact_sheet(frame)

    (line,) = [element for element in sheet.bodies[0].placed if hasattr(element, "box")]
    assert line.box == (512, 666)
    assert sheet.pages[0].width == PageMetrics(3).width


def test_pages_are_saved_into_the_run(painted, tmp_path):
    frame = painted({"jeep": "A jeep"}, seeds=range(1, 51))
    frame.context = replace(frame.context, run=tmp_path / "20261123-030512-journeys-1a2b")

    paths = contact_sheet(frame).save()

    assert [path.name for path in paths] == ["contact-sheet-1.png", "contact-sheet-2.png"]
    assert all(path.parent.name == "20261123-030512-journeys-1a2b" for path in paths)
    assert paths[0].read_bytes().startswith(b"\x89PNG")


def test_a_shorter_sheet_leaves_no_page_of_a_longer_one(painted, tmp_path):
    frame = painted({"jeep": "A jeep"}, seeds=range(1, 51))
    (tmp_path / "contact-sheet-notes.txt").touch()
    contact_sheet(frame).save(tmp_path)

    contact_sheet(frame.iloc[:3]).save(tmp_path)

    assert sorted(path.name for path in tmp_path.glob("contact-sheet-*")) == [
        "contact-sheet-1.png", "contact-sheet-notes.txt",
    ]  # fmt: skip


def test_a_sheet_of_no_run_asks_for_a_folder(pictures):
    with pytest.raises(ExplorationError, match="give save\\(\\) a folder"):
        contact_sheet(pictures).save()


def test_a_folder_that_cannot_be_written_is_reported(pictures, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ExplorationError, match=r"cannot be written into .*file"):
        contact_sheet(pictures).save(tmp_path / "file")


def test_a_notebook_shows_each_page_as_a_picture_with_words_for_those_who_do_not_see_it(pictures):
    pictures.context = replace(pictures.context, title='Sun & "sand"')

    shown = contact_sheet(pictures)._repr_mimebundle_()

    (image,) = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', shown["text/html"])
    assert Image.open(io.BytesIO(base64.b64decode(image))).width <= SHOWN_WIDTH
    assert 'alt="Contact sheet: Sun &amp; &#34;sand&#34;, page 1 of 1"' in shown["text/html"]
    assert shown["text/plain"] == 'Contact sheet “Sun & "sand"”: 4 cells on 1 page. save() writes it.'


def test_a_notebook_shows_the_first_pages_of_a_long_sheet_and_says_how_to_see_the_others(painted):
    without = dict.fromkeys(range(1, 401), (Status.STOPPED, "Run again."))
    sheet = contact_sheet(painted({"jeep": "A jeep"}, seeds=range(1, 401), without=without))

    html = sheet._repr_mimebundle_()["text/html"]

    assert html.count("<img") == SHOWN_PAGES < len(sheet.pages)
    assert f"The first {SHOWN_PAGES} of {len(sheet.pages)} pages." in html


def test_a_notebook_finds_what_to_show(pictures):
    formatters = pytest.importorskip("IPython.core.formatters")

    shown, _ = formatters.DisplayFormatter().format(contact_sheet(pictures))

    assert set(shown) == {"text/html", "text/plain"}


def test_a_character_that_no_font_has_stands_as_its_number_with_a_note(painted, written, monkeypatch):
    monkeypatch.setattr(fonts, "system_files", lambda: ())
    fonts.font_of.cache_clear()

    texts = written(contact_sheet(painted({"A \U00012000": "東京の夜 🗼 \U00012001", "b": "x"}, seeds=7)))

    text = together(texts)
    assert "A [U+12000]" in text
    assert "東京の夜 🗼 [U+12001]" in text
    assert "No font on this machine has U+12000 CUNEIFORM SIGN A, U+12001" in text
    fonts.font_of.cache_clear()


def test_a_sheet_of_a_template_shows_it_with_its_variables_as_rows_and_columns(cows):
    tiles = cell_views(cows)
    arrangement = arrange(tiles)

    facts = dict(sheet_facts(tiles, arrangement))

    assert facts["Rows"] == "medium (2): photo, oil painting"
    assert facts["Columns"] == "place (2): Norway, Egypt"
    assert shared_texts(tiles, arrangement) == [
        ("Prompt", "A {medium} of a cow in {place}"),
        ("place", "Norway is “a fjord at dusk”, Egypt is “Giza”"),
    ]
    assert len(contact_sheet(cows).pages) == 1
