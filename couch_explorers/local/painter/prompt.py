"""Parse a prompt: place, hour, film, mood and subjects, found by their words in English and Norwegian."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# What is drawn, and the words that ask for it, in English and Norwegian, as `_fold` normalizes them: lower case, without accents.
# Of places and hours the first one with a word in the prompt is chosen, so that the more specific ones come first.
PLACES: dict[str, tuple[str, ...]] = {
    "paris": ("paris", "parisian", "eiffel", "eiffeltarnet", "france"),
    "egypt": ("pyramid", "pyramids", "pyramide", "pyramidene", "egypt", "giza", "sphinx"),
    "india": ("taj", "mahal", "india", "agra"),
    "japan": ("japan", "japanese", "fuji", "kyoto", "torii", "tokyo"),
    "london": ("london", "big ben", "westminster", "thames"),
    "savanna": ("savanna", "savannah", "safari", "serengeti", "africa", "african", "kenya", "kilimanjaro", "savanne"),
    "fjord": ("fjord", "fjords", "fjorden", "fjorder", "norway", "norwegian", "norge", "lofoten", "geiranger"),
    "mountains": (
        *("mountain", "mountains", "mountaintop", "cliff", "cliffs", "peak", "peaks", "alps", "alpine", "himalaya"),
        *("everest", "summit", "fjell", "fjellet", "fjellene", "fjelltopp", "patagonia"),
    ),
    "desert": ("desert", "sahara", "dunes", "dune", "orken", "ørken", "ørkenen", "oasis", "canyon"),
    "city": (
        *(
            "city",
            "skyline",
            "skyscraper",
            "skyscrapers",
            "new york",
            "manhattan",
            "downtown",
            "street",
            "times square",
        ),
        *(
            "urban",
            "byen",
            "storby",
            "oslo",
            "berlin",
            "chicago",
            "dubai",
            "singapore",
            "rome",
            "istanbul",
            "barcelona",
        ),
    ),
    "sea": (
        *("sea", "ocean", "beach", "coast", "island", "lighthouse", "hav", "havet", "strand", "stranden", "tropical"),
        *("harbour", "harbor", "bay", "waves", "surf", "santorini", "maldives", "hawaii", "caribbean", "venice"),
    ),
    "forest": ("forest", "woods", "jungle", "trees", "rainforest", "pine", "pines", "skog", "skogen", "amazon"),
}
HOURS: dict[str, tuple[str, ...]] = {
    "aurora": ("aurora", "northern lights", "nordlys", "nordlyset"),
    "sunset": ("sunset", "sundown", "golden hour", "golden", "solnedgang", "solnedgangen"),
    "dusk": ("dusk", "twilight", "evening", "blue hour", "skumring", "kveld", "neon"),
    "morning": ("morning", "sunrise", "dawn", "daybreak", "morgen", "soloppgang", "daggry"),
    "night": ("night", "midnight", "moon", "moonlight", "moonlit", "stars", "starry", "natt", "natten", "stjerner"),
    "overcast": (
        "rain",
        "rainy",
        "storm",
        "stormy",
        "overcast",
        "cloudy",
        "fog",
        "foggy",
        "mist",
        "misty",
        "regn",
        "skyet",
    ),
}
FILMS: dict[str, tuple[str, ...]] = {
    "polaroid": ("polaroid", "instant film", "instant photo"),
    "grain": ("grain", "grainy", "gritty", "film effect", "analog", "analogue", "iso", "kornete"),
    "analog": ("analog", "analogue", "1970s", "1980s", "1990s", "70s", "80s", "90s", "retro", "lo fi", "kodak", "vhs"),
    "monochrome": ("black and white", "monochrome", "noir", "greyscale", "grayscale", "svart hvitt", "svarthvitt"),
    "sepia": ("sepia", "daguerreotype", "1900s", "1920s"),
}
MOODS: dict[str, tuple[str, ...]] = {
    "warm": ("warm", "golden", "orange", "amber", "cosy", "cozy", "varm", "varme"),
    "cool": ("cool", "cold", "blue", "icy", "frozen", "kald", "winter"),
    "faded": ("faded", "soft", "pastel", "vintage", "washed", "muted", "nostalgic"),
    "vivid": ("vivid", "vibrant", "bright", "colourful", "colorful", "saturated", "neon", "dramatic"),
    "snow": ("snow", "snowy", "capped", "winter", "ice", "glacier", "sno", "snø", "snødekte"),
    "rays": ("sunbeam", "sunbeams", "sunray", "sunrays", "rays", "solstrale", "solstraler"),
}
SUBJECTS: dict[str, tuple[str, ...]] = {
    "balloon": ("balloon", "balloons", "luftballong"),
    "birds": ("bird", "birds", "seagull", "seagulls", "gulls", "eagle", "fugl", "fugler", "geese"),
    "boat": ("boat", "boats", "sailboat", "sailing", "ship", "yacht", "baten", "seilbat", "kayak"),
    "cafe": ("cafe", "coffee", "croissant", "bistro", "table", "kaffe", "kafe"),
    "couch": ("couch", "sofa", "sofaen", "sofakroken", "armchair"),
    "elephant": ("elephant", "elephants", "elefant", "elefanter"),
    "giraffe": ("giraffe", "giraffes", "sjiraff", "sjiraffer"),
    "camel": ("camel", "camels", "caravan", "kamel", "kameler"),
    "lion": ("lion", "lions", "lioness", "løve", "løver"),
    "jeep": ("jeep", "car", "land rover", "truck", "offroad", "van", "bil"),
    "tent": ("tent", "camping", "camp", "telt"),
    "person": (
        *(
            "me",
            "myself",
            "us",
            "person",
            "people",
            "man",
            "woman",
            "hiker",
            "tourist",
            "traveller",
            "traveler",
            "selfie",
        ),
        *("girl", "boy", "couple", "friends", "family", "climber", "meg", "mann", "kvinne"),
    ),
}
SEVERAL = (
    "elephants",
    "giraffes",
    "camels",
    "lions",
    "elefanter",
    "sjiraffer",
    "kameler",
    "løver",
    "balloons",
    "boats",
)


@dataclass(frozen=True)
class Brief:
    """The contents of a picture.

    `place` and `hour` are keys of PLACES and HOURS, or "hills" and "day" where the prompt names none; `films`, `moods`
    and `subjects` hold keys of their tables, in the tables' order; `several` are the subjects asked for in the plural.
    """

    place: str
    hour: str
    films: tuple[str, ...]
    moods: tuple[str, ...]
    subjects: tuple[str, ...]
    several: tuple[str, ...] = ()


def parse_prompt(prompt: str, negative_prompt: str | None = None) -> Brief:
    """Find what a prompt asks for, without what the negative prompt names."""
    text, unwanted = _fold(prompt), _fold(negative_prompt or "")

    def found(table: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(name for name, words in table.items() if _has(text, words) and not _has(unwanted, words))

    subjects = found(SUBJECTS)
    return Brief(
        place=next(iter(found(PLACES)), "hills"),
        hour=next(iter(found(HOURS)), "day"),
        films=found(FILMS),
        moods=found(MOODS),
        subjects=subjects,
        several=tuple(name for name in subjects if _has(text, tuple(w for w in SUBJECTS[name] if w in SEVERAL))),
    )


def _fold(text: str) -> str:
    """Lower-case words without accents, one blank between and around them, so that " sea " is never found in "season"."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))
    return " " + " ".join(re.findall(r"[^\W_]+", plain)) + " "


def _has(text: str, words: tuple[str, ...]) -> bool:
    return any(f" {word} " in text for word in words)
