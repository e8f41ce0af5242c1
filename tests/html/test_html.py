import jinja2
import pytest

from couch_explorers import html


def test_label_is_text_whatever_it_looks_like():
    assert "&lt;b&gt;" in html.label("<b>", "#000000")


def test_with_code_escapes_all_but_its_own_tags():
    text = "<i> run `couch up <x>`, not `this"

    assert html.with_code(text) == "&lt;i&gt; run <code>couch up &lt;x&gt;</code>, not `this"


def test_missing_variable_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="checks"):
        html.render("checks.html.j2")


def test_json_filter_is_safe_in_an_attribute():
    rendered = html.environment().from_string('<a data-x="{{ x | json }}">').render(x=['"<é'])

    assert rendered == '<a data-x="[&#34;\\&#34;&lt;é&#34;]">'
