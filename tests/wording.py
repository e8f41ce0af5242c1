"""The values in a text whose wording a snapshot keeps."""

import re


def numbers(text: str) -> list[str]:
    """Give the numbers, times and dates of a text in their order as they are written, without those inside of names."""
    return re.findall(r"(?<![\w:.-])\d(?:[\d,.:-]*\d)?(?![\w-])", text)


def without_volume(text: str) -> str:
    """Leave out how much was done, and its cost, where a test draws its traffic: numpy may draw other numbers in each release."""
    return re.sub(r"\d[\d,]{2,}(?= (?:pictures|jobs|API calls)\b)|(?<=\\\$)[\d.]+", "…", text)
