"""The class report fits a phone, a dark screen and a sheet of paper."""

import csv

import pytest

from autograder.report import COLUMNS, report
from tests.browser.jupyterlab import browser_page

pytestmark = pytest.mark.browser

EXERCISES = (
    "output_size",
    "zero_pad",
    "window_dot",
    "conv2d_loops",
    "same_padding",
    "conv2d",
    "count_parameters",
)
VERDICTS = ("passed", "partial", "failed", "missing", "timeout", "crashed", "not_graded")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    course = tmp_path_factory.mktemp("course")
    with (course / "grades.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for student in ("ada", "a-student-with-a-very-long-name-" * 3):
            for exercise, verdict in zip(EXERCISES, VERDICTS, strict=True):
                wrong_idea = "flips-the-kernel" if exercise == "conv2d" else ""
                row = (student, "01-convolution", exercise, "1", "2", verdict, wrong_idea, "x" * 300)
                writer.writerow(row)
    return report(course, "01-convolution").as_uri()


def colours(page):
    """Return the brightness, 0 to 255, of the page and of its text."""
    script = "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name])"
    return [sum(map(float, colour[4:-1].split(","))) / 3 for colour in page.evaluate(script)]


@pytest.mark.parametrize("width", [320, 390, 1000])
def test_the_page_is_never_wider_than_the_screen(address, width):
    with browser_page(viewport={"width": width, "height": 700}) as page:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_every_column_is_seen_without_scrolling(address):
    with browser_page(viewport={"width": 390, "height": 844}) as page:
        page.goto(address)
        for column in page.get_by_role("columnheader").all():
            box = column.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390, column.inner_text()


def test_a_table_that_is_too_wide_is_shaded_at_its_edge_and_scrolls_by_key(address):
    with browser_page(viewport={"width": 280, "height": 700}) as page:
        page.goto(address)
        table = page.get_by_role("region", name="Students")
        assert table.evaluate("it => it.scrollWidth > it.clientWidth")
        shadows = table.evaluate("it => getComputedStyle(it).backgroundAttachment")
        assert shadows == "local, local, scroll, scroll"  # the local ones cover a shadow where the table ends
        table.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('[aria-label=Students]').scrollLeft > 0")


def test_on_paper_a_small_class_is_on_one_page(address):
    with browser_page() as page:
        page.goto(address)
        page.emulate_media(media="print")
        assert page.locator(".matrix").evaluate("it => getComputedStyle(it).breakInside") == "avoid"


def test_on_paper_no_heading_is_parted_from_what_it_heads(address):
    with browser_page() as page:
        page.goto(address)
        page.emulate_media(media="print")
        rule = "name => [...document.querySelectorAll(name)].map(it => getComputedStyle(it).breakAfter)"
        assert set(page.evaluate(rule, "h2, summary, thead, .leads")) == {"avoid"}
        assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_chart_says_in_words_what_it_shows(address):
    with browser_page() as page:
        page.goto(address)
        said = page.get_by_role("img", name="Students by share of the points").get_attribute("aria-label")
        assert "50 to 60 percent: 2;" in said


def test_the_page_is_dark_where_the_reader_wants_it_dark_and_light_on_paper(address):
    with browser_page(color_scheme="dark") as page:
        page.goto(address)
        background, text = colours(page)
        assert background < 60 < 180 < text
        page.emulate_media(media="print")
        background, text = colours(page)
        assert text < 60 < 180 < background


def test_every_verdict_has_a_mark_of_its_own_so_that_colour_is_not_needed(address):
    with browser_page() as page:
        page.goto(address)
        marks = page.locator(".matrix tbody tr:first-child td.cell").all_inner_texts()
        assert len(set(marks)) == len(VERDICTS)
