from PIL import Image

from couch_explorers.exploration.showing.differing import MARK, marked, same_pixels, sentence


def plain(colour, size=(20, 10)):
    return Image.new("RGB", size, colour)


def test_words_of_one_text_only_are_marked():
    left, right = marked("an old polaroid of Paris in May", "a new photograph of Paris in May")

    assert left == f'<mark style="{MARK}">an old polaroid</mark> of Paris in May'
    assert right == f'<mark style="{MARK}">a new photograph</mark> of Paris in May'


def test_texts_that_have_little_in_common_are_not_marked():
    assert marked("A jeep on the savanna", "A hiker & a cliff") == ("A jeep on the savanna", "A hiker &amp; a cliff")


def test_added_words_are_marked_where_they_are():
    left, right = marked("a jeep", "a red jeep")

    assert left == "a jeep"
    assert right == f'a <mark style="{MARK}">red</mark> jeep'


def test_marked_texts_are_safe_html():
    assert marked("a <b>", "a <b>") == ("a &lt;b&gt;", "a &lt;b&gt;")


def test_one_pixel_is_a_difference():
    other = plain("white")
    other.putpixel((3, 3), (255, 255, 254))

    assert not same_pixels(plain("white"), other)
    assert sentence(plain("white"), other) == "The pictures differ hardly visibly."


def test_the_part_that_differs_clearly_is_told():
    other = plain("white")
    other.paste((0, 0, 255), (0, 0, 10, 5))

    assert sentence(plain("white"), other) == "25% of the pixels differ clearly."


def test_other_sizes_are_told_as_such():
    assert sentence(plain("white"), plain("white", (10, 10))) == (
        "The pictures have different sizes: 20 \u00d7 10 and 10 \u00d7 10 pixels."
    )
