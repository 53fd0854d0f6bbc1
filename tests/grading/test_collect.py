"""Hand-ins from Canvas, Moodle and Gradescope land where they are graded; a hostile archive harms nothing."""

import stat
import warnings
import zipfile

import nbformat
import pytest

from autograder import archive as archives
from autograder import build
from autograder.collect import collect
from autograder.errors import UsageError
from autograder.grading import grade
from autograder.submissions import read
from tests.grading.classroom import UNIT, WRONG, edited, hand_in, make_course, settings, solved

NOTEBOOK = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
CANVAS = {
    f"lovelaceada_101_9001_{UNIT}.ipynb": "ada's",
    f"bloggsbob_LATE_102_9002_{UNIT}-1.ipynb": "bob's",
    "noneya_103_9003_essay.pdf": "no notebook",
}
MOODLE = {
    f"Ada Lovelace_7001_assignsubmission_file_/{UNIT}.ipynb": "ada's",
    f"Bob Bloggs_7002_assignsubmission_file_{UNIT}.ipynb": "bob's",
}
GRADESCOPE = {
    "assignment_5_export/submission_metadata.yml": """
submission_77:
  :submitters:
  - :name: Ada Lovelace
    :sid: '4001'
    :email: ada@uni.example
  :created_at: 2026-03-03 10:00:00.123456000 +02:00
submission_78:
  :submitters:
  - :name: Bob Bloggs
    :email: bob@uni.example
  - :name: Cyd Carr
    :email: cyd@uni.example
""",
    f"assignment_5_export/submission_77/{UNIT}.ipynb": "ada's",
    "assignment_5_export/submission_78/any name.ipynb": "bob's",
}
ROSTERS = {
    "canvas": 'Student,ID,SIS User ID,SIS Login ID,Section\n"Lovelace, Ada",101,102,ada,1\n"Bloggs, Bob",102,u2,bob,1\n',
    "moodle": "Identifier,Full name,Email address\nParticipant 7001,Ada L.,ada\nParticipant 7002,Bob B.,bob\n",
    "moodle, by name": "First name,Last name,Username\nAda,Lovelace,ada\nBob,Bloggs,bob\n",
    "gradescope": "Name,SID,Email\nAda Lovelace,4001,ada\nBob Bloggs,,bob@uni.example\nCyd Carr,,cyd@uni.example\n",
}


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path / "course")


def zipped(path, files):
    """Write a zip of names and texts, and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, warnings.catch_warnings(action="ignore"):
        for name, text in files.items() if isinstance(files, dict) else files:
            file.writestr(name, text)
    return path


def collected(course):
    """Return what lies in submitted/, by student."""
    return {
        path.parent.parent.name: path.read_text() for path in course.glob(f"submitted/*/{UNIT}/{UNIT}.ipynb")
    }


@pytest.mark.parametrize(
    ("files", "roster", "students"),
    [
        (CANVAS, None, ["101", "102"]),
        (CANVAS, "canvas", ["ada", "bob"]),
        (MOODLE, None, ["Ada-Lovelace", "Bob-Bloggs"]),
        (MOODLE, "moodle", ["ada", "bob"]),
        (MOODLE, "moodle, by name", ["ada", "bob"]),
        (GRADESCOPE, None, ["4001", "bob@uni.example"]),
        (GRADESCOPE, "gradescope", ["4001", "bob@uni.example"]),
        ({f"ada/{UNIT}.ipynb": "ada's", f"bob/{UNIT}.ipynb": "bob's"}, None, ["ada", "bob"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_the_names_that_each_system_gives_tell_the_student(course, tmp_path, files, roster, students, kind):
    source = zipped(tmp_path / "download.zip", files)
    if kind == "folder":
        zipfile.ZipFile(source).extractall(tmp_path / "download")
        source = tmp_path / "download"
    path = None
    if roster:
        path = tmp_path / "roster.csv"
        path.write_text(ROSTERS[roster])
    done = collect(course, UNIT, source, path)
    found = collected(course)
    assert [found.get(student) for student in students] == ["ada's", "bob's"]
    assert done.new[:2] == students


def test_a_group_on_gradescope_gets_a_copy_each_and_the_time_of_handing_in_is_kept(course, tmp_path):
    collect(course, UNIT, zipped(tmp_path / "g.zip", GRADESCOPE))
    assert collected(course)["cyd@uni.example"] == "bob's"
    assert (course / "submitted/4001" / UNIT / "timestamp.txt").read_text() == "2026-03-03 08:00:00 UTC"


def test_who_handed_in_no_notebook_or_is_a_stranger_is_said_in_a_line(course, tmp_path):
    (tmp_path / "roster.csv").write_text(ROSTERS["canvas"].replace(",101,", ",999,"))
    text = str(collect(course, UNIT, zipped(tmp_path / "c.zip", CANVAS), tmp_path / "roster.csv"))
    assert text.splitlines()[0] == "1 new, 0 updated, 0 unchanged"
    assert "Not on roster.csv, so left out: 101, 103." in text.splitlines()
    text = str(collect(course, UNIT, zipped(tmp_path / "c.zip", CANVAS)))
    assert "Handed in no notebook: 103." in text


def test_a_student_who_is_there_twice_is_not_collected_and_all_others_are(course, tmp_path):
    files = {
        f"Ann Lee_1_assignsubmission_file_/{UNIT}.ipynb": "one",
        f"Ann Lee_2_assignsubmission_file_/{UNIT}.ipynb": "the other",
        f"Bob Bloggs_3_assignsubmission_file_/{UNIT}.ipynb": "bob's",
        "Bob Bloggs_3_assignsubmission_file_/scratch.ipynb": "notes",
    }
    done = collect(course, UNIT, zipped(tmp_path / "m.zip", files))
    assert collected(course) == {"Bob-Bloggs": "bob's"}
    assert list(done.problems) == ["Handed in twice, so not collected"]
    assert "Handed in twice, so not collected: Ann-Lee (Ann Lee_1_" in str(done)


def of_another_unit(course):
    """Return a notebook of another unit: it shares no more than the setup with this one."""
    notebook = solved(course)
    notebook.cells = notebook.cells[:2]
    about = {"schema_version": 3, "solution": True, "grade": False, "locked": False, "task": False}
    theirs = {"nbgrader": about | {"grade_id": "conv2d"}}
    notebook.cells.append(nbformat.v4.new_code_cell("def conv2d(x): ...", metadata=theirs))
    return nbformat.writes(notebook)


def test_a_notebook_of_another_unit_is_said_and_not_collected_and_the_right_one_is_new(course, tmp_path):
    wrong = of_another_unit(course)
    files = {f"ada/{UNIT}.ipynb": nbformat.writes(solved(course)), "bob/00-other.ipynb": wrong}
    done = collect(course, UNIT, zipped(tmp_path / "a.zip", files))
    assert list(collected(course)) == done.new == ["ada"]
    says = "Without an exercise of this unit, so not collected: bob (bob/00-other.ipynb)."
    assert says in str(done)
    right = {f"bob/{UNIT}.ipynb": nbformat.writes(edited(course, WRONG))}
    assert collect(course, UNIT, zipped(tmp_path / "b.zip", right)).new == ["bob"]


def test_a_zip_of_another_unit_is_an_error_and_leaves_nothing_behind(course, tmp_path):
    source = zipped(tmp_path / "b.zip", {f"bob/{UNIT}.ipynb": of_another_unit(course)})
    with pytest.raises(UsageError, match=f"no notebook of {UNIT} to collect. Without an exercise.*: bob "):
        collect(course, UNIT, source)
    assert not (course / "submitted").exists() and not list(course.glob(".collect-*"))


def test_a_notebook_that_lost_its_labels_is_known_by_its_text_and_a_broken_one_is_left_to_grading(
    course, tmp_path
):
    unlabelled = solved(course)
    for one in unlabelled.cells:
        one.metadata.pop("nbgrader", None)
    files = {f"ada/{UNIT}.ipynb": nbformat.writes(unlabelled), f"bob/{UNIT}.ipynb": '{"cells": ['}
    assert collect(course, UNIT, zipped(tmp_path / "a.zip", files)).new == ["ada", "bob"]


def test_late_work_whose_time_nobody_tells_is_said(course, tmp_path):
    (tmp_path / "roster.csv").write_text(ROSTERS["canvas"])
    text = str(collect(course, UNIT, zipped(tmp_path / "c.zip", CANVAS), tmp_path / "roster.csv"))
    assert "2 came without a time of handing in, so late days are not counted there." in text
    assert "Late, says Canvas, but not by how much: bob." in text
    (course / "submitted/bob" / UNIT / "timestamp.txt").write_text("2026-01-01 00:00:00 UTC")  # by hand
    text = str(collect(course, UNIT, zipped(tmp_path / "c.zip", CANVAS), tmp_path / "roster.csv"))
    assert "1 came without a time" in text and "Late" not in text


def test_where_gradescope_tells_the_time_nothing_is_said_of_late_days(course, tmp_path):
    only = {name: text for name, text in GRADESCOPE.items() if "submission_78" not in name}
    assert str(collect(course, UNIT, zipped(tmp_path / "g.zip", only))) == "1 new, 0 updated, 0 unchanged"


def test_canvas_without_a_roster_says_what_a_roster_would_tell(course, tmp_path):
    text = str(collect(course, UNIT, zipped(tmp_path / "c.zip", CANVAS)))
    assert "2 with a number from Canvas for a name, such as 101: --roster tells the logins." in text
    (tmp_path / "roster.csv").write_text(ROSTERS["canvas"])
    text = str(collect(course, UNIT, zipped(tmp_path / "c.zip", CANVAS), tmp_path / "roster.csv"))
    assert "--roster" not in text


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"holiday/photo.jpg": "x"}, "to collect. Handed in no notebook: holiday.$"),
        ({f"bloggsbob_777_1_{UNIT}.ipynb": "x"}, "to collect. Not on roster.csv, so left out: 777.$"),
    ],
)
def test_a_zip_of_which_nothing_is_taken_is_an_error(course, tmp_path, files, says):
    (tmp_path / "roster.csv").write_text(ROSTERS["canvas"] + "Holiday,7,,holiday,\n")
    with pytest.raises(UsageError, match=says):
        collect(course, UNIT, zipped(tmp_path / "c.zip", files), tmp_path / "roster.csv")
    assert not (course / "submitted").exists()


@pytest.mark.parametrize(
    "data", ["Student,SIS Login ID\nכהן,cohen\n".encode("cp1255"), "Student,SIS Login ID\n".encode("utf-16")]
)
def test_a_roster_in_another_encoding_is_told_what_to_do(course, tmp_path, data):
    (tmp_path / "roster.csv").write_bytes(data)
    with pytest.raises(
        UsageError, match=r"roster.csv is not a CSV file in UTF-8: .* save it as CSV in UTF-8\."
    ):
        collect(course, UNIT, zipped(tmp_path / "c.zip", CANVAS), tmp_path / "roster.csv")


def test_a_hand_in_under_another_name_is_told_by_the_name_that_is_there(course):
    path = hand_in(course, "ada", solved(course))
    path.rename(path.with_name("final version.ipynb"))
    template = build.template(course / "source" / UNIT / f"{UNIT}.py")
    found = read("ada", UNIT, path.parent, template, settings(), "secret")
    assert found.unreadable == (
        f"There is no {UNIT}.ipynb, only final version.ipynb: rename it, and grade again."
    )


def test_what_is_there_already_stays_until_an_update_is_asked_for(course, tmp_path):
    source = zipped(tmp_path / "a.zip", {f"ada/{UNIT}.ipynb": "first"})
    assert collect(course, UNIT, source).new == ["ada"]
    assert collect(course, UNIT, source).same == ["ada"]
    (course / "submitted/ada" / UNIT / "timestamp.txt").write_text("2026-01-01 00:00:00 UTC")
    zipped(source, {f"ada/{UNIT}.ipynb": "second"})
    done = collect(course, UNIT, source)
    assert "Kept as it was, though the file has another: ada (--update takes it)." in str(done)
    assert collected(course) == {"ada": "first"}
    assert collect(course, UNIT, source, update=True).updated == ["ada"]
    assert collected(course) == {"ada": "second"}
    assert not (course / "submitted/ada" / UNIT / "timestamp.txt").exists()


def link(name, target):
    """Return a zip's entry that is a link."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return (entry, target)


GOOD = (f"ada/{UNIT}.ipynb", NOTEBOOK)
HOSTILE = {
    "a name that climbs out": ([GOOD, (f"../../bob/{UNIT}.ipynb", "x")], "leads out of it"),
    "an absolute name": ([GOOD, ("/etc/cron.d/x.ipynb", "x")], "leads out of it"),
    "a Windows name": ([GOOD, ("C:\\x.ipynb", "x")], "leads out of it"),
    "a link": ([GOOD, link(f"bob/{UNIT}.ipynb", "/etc/passwd")], "is a link"),
    "a bomb": ([GOOD, (f"bob/{UNIT}.ipynb", b"0" * (3 << 20))], "unpacks to more than 2 MB"),
    "the same name twice": ([GOOD, (GOOD[0], "another")], "is in it 2 times"),
    "too many files": ([GOOD, *((f"s{i}/x.ipynb", "") for i in range(60))], "holds 61 files"),
    "broken metadata": ([GOOD, ("submission_metadata.yml", "a: [")], "cannot be read"),
    "code in the metadata": (
        [GOOD, ("submission_metadata.yml", "!!python/object/apply:os.system [x]")],
        "cannot",
    ),
    "no notebook": ([("readme.txt", "x")], "holds no notebook"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_zip_is_one_clear_line_and_harms_nothing(course, tmp_path, monkeypatch, what):
    files, says = HOSTILE[what]
    monkeypatch.setattr(archives, "FILES", 50)
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + "c.Sandbox.notebook_mb = 2\n")
    source = zipped(tmp_path / "evil.zip", files)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=says) as caught:
        collect(course, UNIT, source)
    assert "\n" not in " ".join(str(caught.value).split())
    assert sorted(tmp_path.rglob("*")) == before


def test_many_large_files_are_a_bomb_too(course, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "TOTAL_MB", 3)
    files = {f"s{i}/{UNIT}.ipynb": b"0" * (1 << 20) for i in range(4)}
    with pytest.raises(UsageError, match="unpacks to more than"):
        collect(course, UNIT, zipped(tmp_path / "evil.zip", files))
    assert not (course / "submitted").exists()


def damaged(data, at):
    """Return a zip's bytes with some of them turned."""
    return data[:at] + bytes(255 - byte for byte in data[at : at + 9]) + data[at + 9 :]


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04 and then nothing", "damaged", "encrypted", "missing"])
def test_a_broken_zip_is_one_clear_line(course, tmp_path, text):
    source = zipped(tmp_path / "broken.zip", {f"ada/{UNIT}.ipynb": NOTEBOOK * 50})
    data = source.read_bytes()
    if text == "damaged":
        text = damaged(data, 60)
    elif text == "encrypted":
        middle = data.index(b"PK\x01\x02")
        text = data[:6] + b"\x01" + data[7 : middle + 8] + b"\x01" + data[middle + 9 :]
    source.unlink()
    if text != "missing":
        source.write_bytes(text)
    with pytest.raises(UsageError, match="broken.zip"):
        collect(course, UNIT, source)
    assert not (course / "submitted").exists()


def test_a_link_in_a_folder_is_refused(course, tmp_path):
    (tmp_path / "down" / "ada").mkdir(parents=True)
    (tmp_path / "down" / "ada" / f"{UNIT}.ipynb").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="is a link"):
        collect(course, UNIT, tmp_path / "down")


@pytest.mark.sandbox
def test_what_was_collected_is_graded(course, tmp_path):
    files = {
        f"lovelaceada_101_1_{UNIT}.ipynb": nbformat.writes(solved(course)),
        f"bloggsbob_102_2_{UNIT}-2.ipynb": nbformat.writes(edited(course, WRONG)),
    }
    collect(course, UNIT, zipped(tmp_path / "c.zip", files))
    scores = {}
    for row in grade(course, progress=False).rows:
        scores[row["student"]] = scores.get(row["student"], 0) + row["score"]
    assert scores == {"101": 5, "102": 3}
