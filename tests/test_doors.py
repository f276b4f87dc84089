"""Walks of the doors: what counts as typed, and that a faulty door is a result."""

import pytest

from benchmarks.doors.programs import Program, lines_of
from benchmarks.doors.walk import walk


def test_a_faulty_door_is_a_result_that_says_why(tmp_path):
    walked = walk("broken", Program("x", "echo no such place >&2; exit 3"), "http://127.0.0.1:9", tmp_path)
    assert walked.problem == "failed: no such place"
    assert walked.seconds > 0


def test_a_door_whose_program_is_missing_says_what_it_needs(tmp_path):
    walked = walk("absent", Program("x", "true", needs=("no-such-program",)), "", tmp_path)
    assert walked.problem == "failed: needs no-such-program"


def test_a_wrong_answer_is_a_failure(tmp_path):
    assert walk("wrong", Program("^kiwi$", "echo cucumber"), "", tmp_path).problem == "failed: answered cucumber"


def test_a_right_answer_comes_with_what_there_is_to_type(tmp_path):
    program = Program("^ki.i", "tail -n 1 a.txt", {"a.txt": "x\nkiwi 0.9\n"})
    walked = walk("right", program, "", tmp_path)
    assert (walked.found, walked.effort, walked.problem) == ("kiwi", "1 command, 2 lines of code", "")


@pytest.mark.parametrize(("text", "count"), [("\na \\\n  b\nc\n\n", 2), ("", 0)])
def test_a_continued_line_counts_once(text, count):
    assert lines_of(text) == count
