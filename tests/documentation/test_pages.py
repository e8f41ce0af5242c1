from .pages import Block, Words, names, parse

FENCED = """# A page

Do this:

```sh
make demo
```

1. and in a list

   ```python title="x"
   print("deep")
   ```

What comes out:

```
a picture
```
"""


def test_a_block_is_found_with_its_language_and_the_line_it_begins_at():
    assert parse("a.md", FENCED).blocks == (
        Block("a.md", 6, "sh", "make demo\n"),
        Block("a.md", 12, "python", 'print("deep")\n'),
        Block("a.md", 18, "", "a picture\n"),
    )


def test_a_fence_within_a_fence_is_text():
    (block,) = parse("a.md", "````text\n```sh\nmake demo\n```\n````\n").blocks

    assert (block.language, block.text) == ("text", "```sh\nmake demo\n```\n")


def test_a_block_that_is_only_indented_is_reported_by_its_line():
    page = parse("a.md", "Do this:\n\n    make demo\n")

    assert (page.blocks, page.indented) == ((), (3,))


def test_links_and_pictures_are_found_but_not_within_code():
    page = parse("a.md", "See [this](docs/a.md#there)\nand ![that](b.png), not `[x](y.md)`.\n")

    assert page.links == (Words(1, "docs/a.md#there"), Words(1, "b.png"))
    assert page.spans == (Words(1, "[x](y.md)"),)


def test_links_and_code_in_a_table_are_found():
    page = parse("a.md", "| a | b |\n|---|---|\n| [c](c.md) | `d/e.py` |\n")

    assert ([link.text for link in page.links], [span.text for span in page.spans]) == (["c.md"], ["d/e.py"])


def test_prose_is_the_lines_of_paragraphs_and_lists_without_tables_and_code():
    page = parse("a.md", "# A page\n\nOne\ntwo.\n\n- three\n  four\n\n| a |\n|---|\n| b |\n\n```sh\nls\n```\n")

    assert page.prose == (3, 4, 6, 7)


def test_anchors_are_those_of_github():
    page = parse("a.md", "# Task 3: The Java client (`docker`)\n\n## Hvorfor ikke én?\n\n## Hvorfor ikke én?\n")

    assert page.anchors == {"task-3-the-java-client-docker", "hvorfor-ikke-én", "hvorfor-ikke-én-1"}


def test_pages_are_found_over_the_whole_folder_but_for_what_tests_compare_with():
    found = names()

    assert {"README.md", "CONTRIBUTING.md", "benchmarks/README.md"} <= set(found)
    assert [name for name in found if name.startswith("tests/")] == []
