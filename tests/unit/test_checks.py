"""The check machinery: what a check says, counts and forgives."""

import functools
import linecache
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from course.checks import Case, check, exercises, function, hint, normal, seeding, through
from course.checks.compare import difference
from course.checks.exercise import EXERCISES, Exercise, Objection, Refusal
from course.checks.result import own_arguments
from course.checks.subject import LocalSubject, NotPlain, plain
from tests.hidden import solution


@pytest.fixture
def double():
    """Return an exercise of its own: the double of an array."""
    exercise = Exercise(
        "double",
        "00-test",
        points=4,
        parameters=("x",),
        oracle=lambda x: 2 * np.asarray(x, dtype=float),
        cases=(
            Case("one number", np.array([1.0])),
            Case("a table", normal(2, 3)),
            Case("an image", normal(1, 12, 12), weight=2),
        ),
        random=lambda rng: Case("random", rng.standard_normal(3)),
        hints=("a", "b", "c"),
    )

    @exercise.misconception("squares", "You square.")
    def _(x):
        return x**2

    @exercise.misconception("refuses-tables", "You refuse tables.")
    def _(x):
        if x.ndim > 1:
            raise Objection("no tables")
        return 2 * x + 1

    @exercise.misconception("trips-over-tables", "You trip over tables.")
    def _(x):
        if x.ndim > 1:
            raise Refusal("trips")
        return 2 * x + 2

    yield exercise
    del EXERCISES["double"]


def student(text, name="double"):
    """Return the function that a student's cell defines."""
    names = {"np": np}
    linecache.cache["<student>"] = len(text), None, text.splitlines(True), "<student>"  # as IPython does
    exec(compile(text, "<student>", "exec"), names)
    return names[name]


def test_a_right_answer_gets_all_points_and_a_short_message(double):
    verdict = check(lambda x: x + x, name="double", random=5)
    assert (verdict.verdict, verdict.score, verdict.misconception) == ("passed", 4, "")
    assert str(verdict) == "✓ double: 4 of 4 points. All 4 cases right."


def test_weights_make_partial_credit_and_random_inputs_count_together(double):
    def only_small(x):
        return 2 * x if x.size < 10 else x

    assert check(only_small, name="double").score == 2
    verdict = check(only_small, name="double", random=5)  # random inputs weigh 2 and are small: 4 of 6
    assert verdict.score == round(4 * 4 / 6, 2)
    assert verdict.verdict == "partial"


def test_a_failed_check_says_case_call_difference_and_hint_in_this_order(double):
    text = str(check(lambda x: x**2, name="double"))
    parts = [
        "✗ double: 0 of 4 points - one number",
        "double(x (1,))",
        "expected 2 at [0], got 1 (1 of 1 values differ)",
    ]
    parts += ["Hint (squares): You square.", "✗ one number   ✗ a table   ✗ an image"]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


class Tags(HTMLParser):
    """Checks that every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "answer", ["x * 1.5", "x", "x[:1]", "'<b>'", "1 / 0", "None", "np.full(x.shape, np.nan)"]
)
def test_the_html_is_whole_and_shows_no_code_of_ours(double, answer):
    verdict = check(student(f"def double(x):\n    print('<i>')\n    return {answer}"), name="double")
    parser = Tags()
    parser.feed(verdict.html)
    assert parser.open == []
    assert "<i>" not in verdict.html
    assert "Traceback" not in verdict.html + verdict.text
    assert "course/" not in verdict.html + verdict.text


def test_small_planes_are_shown_as_numbers_with_marks_and_large_ones_as_images(double):
    table = check(
        lambda x: np.where(x > 0.5, 0, 2 * x), name="double", cases=[Case("a table", normal(2, 3))]
    ).html
    assert table.count("<table") == 2
    assert "✗</td>" in table
    image = check(
        lambda x: np.where(x > 0.5, 0, 2 * x), name="double", cases=[Case("an image", normal(1, 12, 12))]
    ).html
    assert image.count('src="data:image/png;base64,') == 3
    assert 'alt="where they differ"' in image


def test_a_verdict_in_a_kernel_shows_html_and_hands_nbgrader_the_points(double, monkeypatch):
    monkeypatch.setattr("course.checks.verdict.in_a_notebook", lambda: True)
    bundle = check(lambda x: 2 * x if x.size < 10 else x, name="double")._repr_mimebundle_()
    assert bundle["text/plain"] == "2.0"
    assert bundle["text/html"].startswith("<div")


def test_an_exception_is_told_with_the_students_line(double):
    text = str(check(student("def double(x):\n    y = x + 1\n    return y.nothing"), name="double"))
    assert "It raised AttributeError: 'numpy.ndarray' object has no attribute 'nothing' in line 3: `return y.nothing`\n" in text


@pytest.mark.parametrize(
    ("body", "said", "word"),
    [
        ("raise NotImplementedError", "double is not written yet", "missing"),
        ("pass", "It returned None. Does the function end in `return ...`?", "failed"),
        ("raise SystemExit", "It raised SystemExit", "failed"),
        (
            "return print",
            "It returned a builtin_function_or_method, where an array or a number was expected.",
            "failed",
        ),
        ("return {'a': x}", "got a dictionary", "failed"),
        (
            "return (2 * n for n in x)",
            "returned a generator, not the values themselves: put list(...) around it",
            "failed",
        ),
        ("return [[1], [2, 3]]", "expected an array of shape (1,), got a list", "failed"),
        ("return np.array(['a'])", "an array of dtype <U1", "failed"),
        ("return x[None]", "expected shape (1,), got (1, 1)", "failed"),
        ("raise KeyboardInterrupt", "You stopped it while it was running", "timeout"),
    ],
)
def test_odd_answers_are_told_in_a_sentence(double, body, said, word):
    verdict = check(student(f"def double(x):\n    {body}"), name="double")
    assert said in verdict.text
    assert (verdict.score, verdict.verdict) == (0, word)


def test_changing_an_input_is_its_own_misconception(double):
    verdict = check(student("def double(x):\n    x *= 2\n    return x"), name="double")
    assert verdict.misconception == "changes-its-input"
    assert "The answer is right, but the call changed its input x." in verdict.text


def test_inputs_are_copies_so_that_one_case_cannot_spoil_the_next(double):
    case = Case("one", np.array([1.0, 2.0]))
    check(student("def double(x):\n    x[:] = 0\n    return x"), name="double", cases=[case])
    assert case.args[0].tolist() == [1, 2]


def test_a_written_objection_is_named_and_an_accident_is_not(double):
    raises = "def double(x):\n    if x.ndim > 1:\n        raise ValueError('no tables')\n    return 2 * x + 1"
    assert check(student(raises), name="double").misconception == "refuses-tables"
    trips = "def double(x):\n    if x.ndim > 1:\n        x.nothing\n    return 2 * x"
    assert check(student(trips), name="double").misconception == ""


def test_an_accident_is_named_where_the_answers_speak_for_the_idea(double):
    trips = "def double(x):\n    if x.ndim > 1:\n        x.nothing\n    return 2 * x + 2"
    assert check(student(trips), name="double").misconception == "trips-over-tables"


def test_an_idea_that_fits_one_small_case_and_no_other_is_not_named(double):
    verdict = check(
        student("def double(x):\n    return np.ones_like(x)"), name="double"
    )  # 1 is the square of 1, too
    assert verdict.misconception == ""


def test_an_idea_that_spoils_what_is_right_is_not_named(double):
    small = "def double(x):\n    return x**2 if x.size == 1 else 2 * x"
    assert check(student(small), name="double").misconception == ""


def test_the_message_shows_the_case_that_the_idea_explains(double):
    most = "def double(x):\n    return 5 * x if x.size == 1 else x**2"
    verdict = check(student(most), name="double")
    assert verdict.misconception == "squares"
    assert verdict.text.startswith("✗ double: 0 of 4 points - a table\n")


def test_a_wrong_answer_that_changes_its_input_says_both(double):
    verdict = check(student("def double(x):\n    x += 3\n    return x"), name="double")
    assert "expected 2 at [0], got 4" in verdict.text
    assert "And the call changed its input x." in verdict.text


LIBRARY_CODE = [
    "import scipy.special\ndef double(x):\n    return scipy.special.erf(x)",
    "from scipy.special import erf\ndef double(x):\n    return erf(x)",
    "def double(x):\n    from scipy.special import erf\n    return erf(x)",
    "def helper(x):\n    import scipy\n    return scipy.special.erf(x)\ndef double(x):\n    return helper(x)",
]


@pytest.mark.parametrize("text", LIBRARY_CODE)
def test_a_numpy_unit_takes_no_answer_of_another_library(double, text):
    verdict = check(student(text), name="double")
    assert verdict.score == 0
    assert "scipy is not there when your function is graded: write this one with NumPy" in verdict.text


def test_the_libraries_are_there_again_after_a_check_and_in_the_torch_units(double):
    function = student(LIBRARY_CODE[1])
    check(function, name="double")
    assert function(np.array([0.5])) == pytest.approx(0.5205, abs=1e-4)
    verdict = check(function, name="double", cases=[Case("one", np.array([1.0]))])
    exercise = replace(double, unit="08-test")  # replaces it in the registry, too
    assert "is not there" in verdict.text
    assert "is not there" not in check(function, name=exercise.name).text


def test_the_name_bound_in_the_notebook_decides_which_exercise_it_is(double):
    names = {"check": check, "functools": functools}
    code = "double = functools.partial(lambda x, k: k * x, k=2)\nverdict = check(double)"
    exec(code, names)
    assert names["verdict"].exercise == "double"
    assert names["verdict"].verdict == "passed"


def test_a_function_of_no_exercise_gets_a_sentence_and_a_suggestion():
    def conv2s(x):
        return x

    assert str(check(conv2s)) == "There is no exercise called 'conv2s'. Did you mean check(conv2d)?"


def test_a_name_in_quotes_is_no_function():
    assert str(check("conv2d")) == "check takes the function itself: check(conv2d), without quotes."


def test_random_inputs_are_fresh_and_can_be_replayed(double):
    seen = []
    fails = student("def double(x):\n    return x")

    def watch(x):
        seen.append(x.copy())
        return fails(x)

    first = check(watch, name="double", cases=[], random=1)
    second = check(watch, name="double", cases=[], random=1)
    assert first.seed != second.seed
    check(watch, name="double", cases=[], random=1, seed=first.seed)
    with seeding(second.seed):
        check(watch, name="double", cases=[], random=1)
    assert np.array_equal(seen[0], seen[2])
    assert np.array_equal(seen[1], seen[3])
    assert not np.array_equal(seen[0], seen[1])


def test_what_the_student_prints_is_shown_with_the_failed_case(double):
    text = str(check(student("def double(x):\n    print('shape', x.shape)\n    return x"), name="double"))
    assert "It printed:\n    shape (1,)" in text


def test_tolerance_follows_the_dtype():
    exact = np.array([1.0, 1e-3])
    assert difference(exact + 1e-5, exact) is not None
    assert difference((exact + 1e-5).astype(np.float32), exact) is None
    assert difference((exact + 1e-3).astype(np.float16), exact) is None
    assert difference((exact + 1e-1).astype(np.float16), exact) is not None
    assert difference(exact * (1 + 2e-6), exact) is None  # worked out in float32, handed out in float64


def test_whole_numbers_are_compared_exactly_however_large():
    counts = np.array([138_357_544, 3])
    assert difference(counts + [0, 1], counts) is not None
    assert difference(counts.astype(float), counts) is None


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        (3.0, 3, "whole number 3, got the float 3.0"),
        (4, 3, "expected 3, got 4"),
        ([1, 2], (1, 2, 3), "returned 2 things, where 3 things were expected: `return a, b, c`"),
        (5, (1, 2), "where 2 things were expected: `return a, b`"),
        (5, (1, 2, 3), "where 3 things were expected: `return a, b, c`"),
        ((1, 2), ([1, 2],), "returned 2 things, where 1 thing was expected: return them in a list"),
        ((1, None), (1, np.zeros(2)), "part 2 of the answer: expected an array of shape (2,), got None"),
        ((1, 3), (1, 2), "part 2 of the answer: expected 2, got 3"),
        (np.zeros((2, 2)), np.zeros((2, 3)), "expected shape (2, 3), got (2, 2)"),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0]), "expected 2 at [1], got nan"),
        (np.array([1.0]), np.float64(1.0), "expected one number, got an array of shape (1,)"),
    ],
)
def test_differences_are_told_exactly(got, expected, said):
    assert said in difference(got, expected).sentence


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (np.int64(3), 3),
        (np.array(3), 3),
        ([[1, 2]], np.array([[1.0, 2.0]])),
        ([1, 2], (1, 2)),
        (2, np.float64(2)),
    ],
)
def test_the_same_answer_in_another_form_is_right(got, expected):
    assert difference(plain(got), expected) is None


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ({"a" * 200_000: 1}, {"b": 1}),
        (dict.fromkeys(range(100_000)), {"b": 1}),
        ({"b": 1, "a" * 200_000: 1}, {"b": 1}),
        (["a" * 200_000], ["b"]),
        ("a" * 200_000, "b"),
        (10**4_000, 1),
        (10**5_000, 1),  # more digits than Python turns into text
        (10**5_000, np.zeros(3)),
    ],
    ids=["key", "keys", "further key", "entry", "string", "number", "huge number", "no array"],
)
def test_a_message_quotes_no_more_of_an_answer_than_can_be_read(got, expected):
    assert len(difference(got, expected).sentence) < 400


RAGGED = [[1, 0, -1], [2, 0], [1, 0, -1]]
ENDLESS = functools.reduce(lambda inside, _: [inside], range(300), [])
STRANGE = [
    *(None, False, 10**5_000, 1 + 2j, np.array(3.0), np.zeros(0), np.array([None, {}], dtype=object)),
    *("yes", RAGGED, ENDLESS, [None], {1: 2, "x": [1]}, {"a": {"b": [np.zeros(2), "x"]}}, (1, 2, 3, 4, 5)),
    *((number for number in range(3)), Exercise, len),
]


class Answers:
    """A subject that answers every call with one value."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def call(self, args, kwargs, *, count_steps=False):
        """Return the value, as a student's function would."""
        return LocalSubject(lambda: self.value, self.name).call([], {})


def spoilt(answer, leaf):
    """Return an answer with what ``leaf`` makes of each array and number in it."""
    if isinstance(answer, dict):
        return {key: spoilt(value, leaf) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return type(answer)(spoilt(value, leaf) for value in answer)
    return answer if isinstance(answer, str) else leaf(answer)


def remembered(function):
    """Return ``function``, asked for one case again and again, so that it runs once."""
    found = []

    def ask(*args, **kwargs):
        if not found:
            try:
                found.append((function(*args, **kwargs), None))
            except Exception as error:
                found.append((None, error))
        value, error = found[0]
        if error:
            raise error
        return value

    return ask


@pytest.mark.parametrize("name", exercises())
def test_any_answer_to_any_exercise_is_judged_and_a_strange_one_fails(monkeypatch, name):
    exercise = exercises()[name]
    oracle, ideas = exercise.oracle, exercise.misconceptions
    for case in exercise.cases[:2]:
        monkeypatch.setattr(exercise, "oracle", remembered(oracle))
        known = [replace(idea, wrong=remembered(idea.wrong)) for idea in ideas]
        monkeypatch.setattr(exercise, "misconceptions", known)
        args, kwargs = own_arguments(case)
        right = exercise.oracle(*args, **kwargs)
        nan = spoilt(right, lambda part: np.full(np.shape(part), np.nan))
        for strange in [*STRANGE, nan, spoilt(right, lambda part: RAGGED)]:
            verdict = check(Answers(name, strange), cases=[case])
            assert verdict.verdict == "failed", strange
            assert f"✗ {name}: 0 of" in verdict.text
            assert len(verdict.text) < 5_000


def test_an_answer_that_trips_the_judge_is_wrong_and_a_case_that_does_is_an_error(double):
    def judge(answer, x):
        return "" if (answer[:] == 2 * x).all() else "Not the double."

    double.check_answer = judge
    verdict = check(lambda x: {"a": 1}, name="double")
    assert "It returned a dictionary, which is not what was asked for." in verdict.text
    assert verdict.verdict == "failed"
    double.check_answer = lambda answer, x: answer["no such part"]
    with pytest.raises(IndexError):
        check(lambda x: x, name="double")


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_a_kernel_of_no_numbers_is_wrong(weight):
    assert check(lambda: np.full((1, 1, 3, 3), weight), name="edge_kernel").score == 0


def test_plain_data_loses_its_subclass_and_refuses_the_rest():
    class Liar(np.ndarray):
        __eq__ = lambda self, other: True  # noqa: E731

    assert type(plain(np.zeros(3).view(Liar))) is np.ndarray
    with pytest.raises(NotPlain):
        plain(object())


def test_functions_and_classes_cross_by_recipe():
    gradient = LocalSubject(lambda f, x: f(x) + 1, "any").call(
        [function("np.sum(x ** 2)"), np.array([1.0, 2.0])], {}
    )
    assert gradient.value == 6.0

    class Scale:
        def __init__(self, k):
            self.k = k

        def forward(self, x):
            return self.k * x

        backward = forward

    outcome = LocalSubject(Scale, "any").call(
        [through("forward_backward"), [3.0], np.ones(2), np.zeros(1)], {}
    )
    assert outcome.failure is None
    assert [part.tolist() for part in outcome.value] == [[3, 3], [0]]


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(1000): pass",
        "[i for i in range(1000)]",
        "list(map(lambda i: i, range(1000)))",
        "np.vectorize(lambda i: i)(np.arange(1000))",
        "while x[0] < 1000: x[0] += 1",
    ],
)
def test_steps_tell_loops_from_array_operations(body):
    loop = LocalSubject(student(f"def double(x):\n    {body}"), "double").call(
        [np.zeros(1)], {}, count_steps=True
    )
    assert loop.steps >= 1000
    arrays = "np.einsum('i,j->ij', np.arange(1000), np.arange(1000)).sum()"
    quick = LocalSubject(student(f"def double(x):\n    {arrays}"), "double").call(
        [np.zeros(1)], {}, count_steps=True
    )
    assert 0 < quick.steps < 100


def test_hints_grow_with_each_asking_and_end():
    texts = [hint("same_padding").text for _ in range(4)]
    assert texts[:3] == list(exercises()["same_padding"].hints)
    assert texts[3] == texts[2]
    assert hint(solution("conv2d"), 2).text == exercises()["conv2d"].hints[1]
    assert "<code>" in hint("conv2d", 3)._repr_html_()


@pytest.mark.parametrize(
    ("name", "level", "said"),
    [("conv3d", None, "no exercise is called 'conv3d'"), ("conv2d", 4, '1, 2, 3, "solution" and "show me"')],
)
def test_a_wrong_call_for_a_hint_is_told(name, level, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        hint(name, level)


def test_an_unwritten_helper_is_named(double):
    names = {"np": np}
    cells = "def helper(x):\n    raise NotImplementedError\n\ndef double(x):\n    return helper(x)"
    exec(compile(cells, "<student>", "exec"), names)
    verdict = check(names["double"], name="double")
    assert "double calls helper, which is not written yet: write that one first." in verdict.text
    assert verdict.verdict == "missing"


def test_an_unwritten_exercise_that_a_class_calls_is_named_and_its_own_methods_are_not():
    cells = "def vgg_block(*args):\n    raise NotImplementedError\n\nclass VGG:\n    def __init__(self, *args, **kwargs):\n        vgg_block(3, 8, 1)"
    names = {}
    exec(compile(cells, "<student>", "exec"), names)
    assert "VGG calls vgg_block, which is not written yet: write that one first." in check(names["VGG"]).text
    exec(
        compile(cells.replace("vgg_block(3, 8, 1)", "raise NotImplementedError"), "<student>", "exec"), names
    )
    assert "VGG.__init__ is not written yet." in check(names["VGG"]).text


def test_a_line_is_told_for_code_in_a_file_too(double, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def double(x):\n    return x + np.ones((7, 1, 9))[x]\n")
    names = {"np": np}
    exec(compile(path.read_text(), str(path), "exec"), names)
    assert "in line 2: `return x + np.ones((7, 1, 9))[x]`" in check(names["double"], name="double").text


def test_shapes_that_do_not_fit_come_with_advice(double):
    text = check(student("def double(x):\n    return np.ones(5) + np.ones(3)"), name="double").text
    assert "print the shape of each array in that line" in text


def test_a_case_worked_by_hand_shows_its_numbers():
    text = check(lambda *args, **kwargs: 0, name="conv2d").text
    assert "    x = [[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]\n" in text
    assert "    b = 0.5\n" in text


def test_the_numbers_of_a_class_are_named_rightly():
    class Flatten:
        def forward(self, x):
            return x

        def backward(self, grad_out):
            return grad_out

    text = check(Flatten).text
    assert "    x = [[1., 2.], [3., 4.]]\n" in text or "    x = [[1, 2], [3, 4]]\n" in text, text


@pytest.mark.parametrize(
    ("execution", "said"), [("validate", "to_chw is not written yet"), ("autograde", ""), (None, "")]
)
def test_under_nbgraders_validate_alone_a_failed_check_says_so_on_stderr(
    monkeypatch, capsys, execution, said
):
    def to_chw(image):
        raise NotImplementedError

    def right(image):
        return image.transpose(2, 0, 1)

    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    if execution:
        monkeypatch.setenv("NBGRADER_EXECUTION", execution)
    check(right, name="to_chw")
    assert capsys.readouterr().err == ""
    check(to_chw)
    assert said in capsys.readouterr().err if said else capsys.readouterr().err == ""


def test_what_validate_shows_is_folded_with_its_indentation_and_no_mark_apart_from_its_case(
    monkeypatch, capsys
):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    told = check(lambda size, kernel_size, stride=1, padding=0: size, name="output_size").text
    said = capsys.readouterr().err
    assert said.split() == told.split()
    assert max(map(len, told.splitlines())) > 80 >= max(map(len, said.splitlines()))
    assert all(line.startswith("  ") and line[-1] not in "✓✗" for line in said.splitlines()[1:])
