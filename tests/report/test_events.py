import json

from common.events import EventLog
from report.events import follow


def test_what_is_written_is_read(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.write("run-started", homes=["oak"], slots=4)
    log.write("run-ended", ok=True)
    log.close()
    started, ended = follow(tmp_path / "events.jsonl")
    assert (started["event"], started["homes"], ended["ok"]) == ("run-started", ["oak"], True)


def test_a_partial_last_line_is_read_once_it_is_whole(tmp_path):
    path = tmp_path / "events.jsonl"
    line = json.dumps({"event": "warning", "message": "schön"}, ensure_ascii=False).encode()
    cut = line.index("ö".encode()) + 1  # within a character
    steps = [lambda: path.write_bytes(line[:cut]), lambda: path.open("ab").write(line[cut:] + b'\n{"event": "run-')]
    steps += [lambda: path.open("ab").write(b'ended"}\n')]
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        steps.pop(0)()

    events = list(follow(path, alive=lambda: True, pause_s=0.5, sleep=sleep))
    assert [event["event"] for event in events] == ["warning", "run-ended"]
    assert events[0]["message"] == "schön"
    assert waits == [0.5] * 3, "it waited for the file, for the rest of the line, and for the end"


def test_lines_that_are_no_events_are_skipped(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('\n{"event": "slot"}\nnot json\n[1]\n{"at": "x"}\n{"event": 3}\n{"event": "phase"}\n{"event": "cut')
    assert [event["event"] for event in follow(path)] == ["slot", "phase"]


def test_it_ends_with_a_run_that_died_and_misses_none_of_its_last_words(tmp_path):
    path = tmp_path / "events.jsonl"

    def dies():
        path.write_text('{"event": "error", "message": "out of memory"}\n')
        return False

    assert [event["event"] for event in follow(path, alive=dies)] == ["error"]


def test_no_file_and_no_run_is_no_event(tmp_path):
    assert list(follow(tmp_path / "events.jsonl")) == []
