"""HTML of notebooks and reports: one Jinja2 environment in which every value is escaped, and templates as files.

A template lies in `templates/`, in a folder of the package that renders it where it is not shared. `macros.html.j2` has
what several need.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).with_name("templates")
# The share of its own colour that a coloured text keeps: at 60 % red on JupyterLab's dark background still has WCAG's contrast of 4.5.
OWN_SHARE = 0.6
# Text between backticks is a command, or a name from the code.
BACKTICKS = re.compile(r"`([^`\n]+)`")


def render(template: str, **values: Any) -> str:
    """Render a template of this package.

    Args:
        template: its path below `templates/`, such as "checks.html.j2".
        values: its variables. Text is escaped; HTML that is already rendered is passed through the filter `safe`.

    Raises:
        jinja2.TemplateNotFound: there is no such template.
        jinja2.UndefinedError: a variable that the template uses is missing.

    """
    return environment().get_template(template).render(values).strip()


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Make the environment, once a process.

    Its filters, beside Jinja2's own: `with_code` and `text_colour` (see below), and `json`, a value as JSON in an attribute.
    """
    import jinja2  # noqa: PLC0415 - commands that show no HTML need not wait for it
    from markupsafe import Markup  # noqa: PLC0415

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["with_code"] = lambda text: Markup(with_code(text))  # noqa: S704 - escaped there
    made.filters["text_colour"] = text_colour
    made.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return made


def with_code(text: str) -> str:
    """Escape text, and set what stands between backticks as code."""
    return BACKTICKS.sub(r"<code>\1</code>", escape(text))


def text_colour(colour: str) -> str:
    """Declare the colour of a text in CSS so that it is readable in a light and in a dark theme.

    It is mixed with the colour of the text around it, which every theme contrasts with its background. A browser that cannot
    mix colours takes the first declaration.
    """
    return f"color:{colour};color:color-mix(in srgb,{colour} {OWN_SHARE:.0%},currentcolor)"


def label(text: str, colour: str) -> str:
    """Draw a word or two as a small coloured label."""
    return str(environment().get_template("macros.html.j2").module.label(text, colour))  # type: ignore[attr-defined]
