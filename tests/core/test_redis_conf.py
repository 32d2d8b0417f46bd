"""Saving switched off and back in any redis.conf text; and what is read from a text, asked of a real server."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator import redis_conf
from orchestrator.redis_conf import DEFAULT_SAVE, appendonly_of, save_of, saves_nothing, switch_saving_off
from orchestrator.steps.edit_configmap import saving_lines

GUIDE = "save 900 1\nsave 300 10\nsave 60 10000\nappendonly yes\n"

READINGS = [
    pytest.param(GUIDE, "900 1 300 10 60 10000", "yes", id="as-3scale-ships-it"),
    pytest.param("#save 900 1\n#save 300 10\nappendonly no\n", DEFAULT_SAVE, "no", id="guide-followed-to-the-letter"),
    pytest.param("save 900 1 300 10", "900 1 300 10", "no", id="one-line-no-newline-at-the-end"),
    pytest.param("maxmemory 0\n", DEFAULT_SAVE, "no", id="no-save-lines"),
    pytest.param("", DEFAULT_SAVE, "no", id="empty"),
    pytest.param('save ""\nappendonly no\n', "", "no", id="off"),
    pytest.param("save ''\n", "", "no", id="off-in-single-quotes"),
    pytest.param('save 900 1\nsave ""\nsave 60 5\n', "60 5", "no", id="off-then-on-again"),
    pytest.param('save 900 1\nsave ""\n', "", "no", id="on-then-off"),
    pytest.param("  save\t900   1\r\n\tAPPENDONLY YES\r\n", "900 1", "yes", id="tabs-crlf-capitals"),
    pytest.param('appendonly "yes"\nsave "900" "1"\n', "900 1", "yes", id="quoted-words"),
    pytest.param("appendonly yes\nappendonly no\n", DEFAULT_SAVE, "no", id="the-last-appendonly-wins"),
    pytest.param("# save 900 1\n   #appendonly yes\n", DEFAULT_SAVE, "no", id="comments"),
    pytest.param("stop-writes-on-bgsave-error yes\nsave 900 1\n", "900 1", "no", id="another-name-with-save-in-it"),
]


@pytest.mark.parametrize(("text", "save", "appendonly"), READINGS)
def test_what_a_server_reads_in_a_text(text: str, save: str, appendonly: str) -> None:
    assert (save_of(text, "7.0.15"), appendonly_of(text)) == (save, appendonly)


@pytest.mark.parametrize(("text", "save", "appendonly"), READINGS)
def test_a_real_server_reads_the_same(text: str, save: str, appendonly: str) -> None:
    assert answers_of(text) == (save, appendonly)
    assert answers_of(switch_saving_off(text)) == ("", "no")


def test_a_server_before_6_2_has_no_default() -> None:
    assert save_of("appendonly yes\n", "6.0.16") == ""
    assert save_of("appendonly yes\n", "5.0.3") == ""
    assert save_of("appendonly yes\n", "6.2.0") == DEFAULT_SAVE


@pytest.mark.parametrize(
    ("text", "off"),
    [
        pytest.param(
            GUIDE, '#save 900 1\n#save 300 10\n#save 60 10000\nsave ""\nappendonly no\n', id="the-guide's"
        ),
        pytest.param("", 'save ""\nappendonly no\n', id="empty"),
        pytest.param("port 1", 'port 1\nsave ""\nappendonly no\n', id="no-save-no-newline"),
        pytest.param("save 9 1\nport 1", '#save 9 1\nsave ""\nport 1\nappendonly no\n', id="save-then-no-newline"),
        pytest.param("appendonly yes\r\nsave 9 1\r\n", 'appendonly no\r\n#save 9 1\r\nsave ""\n', id="crlf"),
        pytest.param("  save 9 1\n", '#  save 9 1\nsave ""\nappendonly no\n', id="indented"),
        pytest.param("#save 9 1\nsave 8 1\n", '#save 9 1\n#save 8 1\nsave ""\nappendonly no\n', id="a-comment-too"),
    ],
)
def test_switching_off(text: str, off: str) -> None:
    assert switch_saving_off(text) == off


def test_a_commented_save_line_is_not_off() -> None:
    """Trap T1: from Redis 6.2 on the built-in default applies, and dump.rdb is overwritten."""
    assert not saves_nothing("#save 900 1\nappendonly no\n")
    assert not saves_nothing('save ""\nappendonly yes\n')
    assert saves_nothing('save ""\nappendonly no\n')


LINES = st.one_of(
    st.sampled_from(
        ["save 900 1", "save 900 1 300 10", 'save ""', "\tSAVE  60 1 ", "appendonly yes", "appendonly no",
         "#save 900 1", "#appendonly yes", "", "maxmemory 100mb", "appendfsync everysec", "saved x"]
    ),
    st.text(max_size=12),
)
TEXTS = st.builds(
    lambda lines, last: "".join(lines) + last,
    st.lists(st.builds(str.__add__, LINES, st.sampled_from(["\n", "\r\n"])), max_size=8),
    st.one_of(st.just(""), LINES),
)  # fmt: skip


@given(TEXTS)
@example("save 900 1\nport 1")
def test_off_and_back_is_the_original_byte_for_byte(text: str) -> None:
    off = switch_saving_off(text)
    assert saves_nothing(off)
    assert save_of(off, "7.0.15") == ""
    assert redis_conf.switch_saving_back(off, text) == text


@given(TEXTS, st.text("abc# ", max_size=8), st.integers(0, 8))
def test_back_after_somebody_else_edited_keeps_their_lines_and_our_saving(text: str, theirs: str, at: int) -> None:
    lines = redis_conf.bare_lines(switch_saving_off(text))
    edited = "\n".join([*lines[:at], f"maxclients {theirs}x", *lines[at:]]) + "\n"
    back = redis_conf.switch_saving_back(edited, text)
    assert saving_lines(back) == saving_lines(text)
    assert f"maxclients {theirs}x" in redis_conf.bare_lines(back)


def test_saving_lines_come_back_to_where_they_stood() -> None:
    """Also in a text to which somebody else has added lines meanwhile."""
    text = "port 1\nsave 900 1\nsave 300 10\nmaxmemory 1gb\nappendonly yes\nloglevel notice\n"
    edited = "# above\n" + switch_saving_off(text).replace("maxmemory 1gb\n", "maxmemory 1gb\n# between\n") + "# below\n"
    wanted = "# above\n" + text.replace("appendonly yes\n", "appendonly yes\n# between\n") + "# below\n"
    assert redis_conf.switch_saving_back(edited, text) == wanted


# ---- the real server -----------------------------------------------------------------------------


def answers_of(text: str) -> tuple[str, str]:
    """What redis-server 7 says of save and appendonly when it is started with this text."""
    with tempfile.TemporaryDirectory(prefix="conf") as directory, server_of(text, Path(directory)) as socket:
        return ask(socket, "save"), ask(socket, "appendonly")


@contextmanager
def server_of(text: str, directory: Path) -> Iterator[Path]:
    ending = "" if not text or text.endswith("\n") else "\n"
    config, socket = directory / "redis.conf", directory / "s"
    config.write_bytes((text + ending + f"port 0\nunixsocket {socket}\ndir {directory}\n").encode())
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(["redis-server", str(config)], stdout=log)
    try:
        wait_for(socket, process, directory / "log")
        yield socket
    finally:
        process.kill()
        process.wait()


def wait_for(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not socket.exists():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.01)


def ask(socket: Path, setting: str) -> str:
    command = ["redis-cli", "-s", str(socket), "config", "get", setting]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()
    return answer.split("\n")[1]


def test_saving_lines_of_somebody_else_are_taken_back_without_a_trace() -> None:
    """Whoever edited nothing but the saving lines meanwhile has left nothing else that is theirs."""
    text = "port 6379\nsave 900 1\nappendonly yes\nmaxmemory 1gb\n"
    off = redis_conf.switch_saving_off(text.replace("save 900 1", "save 800 1"))
    assert "#save 800 1" in off
    assert redis_conf.switch_saving_back(off, text) == text
    more = redis_conf.switch_saving_back(off + "#a remark\n", text)
    assert "#a remark" in more
    assert "800" not in more
