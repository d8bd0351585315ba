"""Every input that must be taken or refused, item by item, and the list or test by which it is tried.

A list is the parameters of a test with the engine's address dead (or, for what only an engine can show, with a real
one); a test is named where one alone tries the item. So nothing of the list can be lost without this being told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest

from tests.check import test_health
from tests.checkouts import test_fetched, test_read
from tests.runs import test_runner
from tests.spec import test_entrypoint, test_ignore_like_buildkit, test_source_tree

from . import test_refused as refused
from . import test_refused_files as files
from . import test_refused_of_runs as runs
from . import test_refused_values as values
from . import test_values_byte_for_byte as bytes_

HEX = "0123456789abcdef" * 4
SOURCES = [text for text, _ in test_read.REFUSED]
CONFIGURATION = [text for text, _, _ in values.REFUSED_CONFIGURATION]

LISTS: list[tuple[str, Collection[Any], Collection[Any]]] = [
    # References
    ("taken", refused.TAKEN_REFERENCES, ["localhost:5000/x", "x:UPPER", "x:" + "a" * 128, "[::1]:5000/x"]),
    ("taken", refused.TAKEN_REFERENCES, ["a__b", "a--b", "xn--n3h.com/x"]),
    ("taken", refused.TAKEN_BY_RUN, [f"x:1@sha256:{HEX}"]),
    ("refused", refused.REFUSED_REFERENCES, ["Uppercase", "docker/Docker", "x:" + "a" * 129, "a/" * 127 + "ab"]),
    ("refused", refused.REFUSED_REFERENCES, ["x@sha256:abcdef1234567890", f"x@sha256:{HEX.upper()}"]),
    ("refused", refused.REFUSED_REFERENCES, ["x@md5:" + "0" * 32, "https://example.com/x", "x:", "x@", "", "x:-a"]),
    ("refused", refused.REFUSED_REFERENCES, ["x:.a", " x", "x ", "x\n", "\nx", "é", "a..b", "a___b", "a//b", "../x"]),
    (
        "refused",
        refused.REFUSED_REFERENCES,
        ["x$(id)", "user:canary@host/x", HEX, "-x", "localhost:65536/x", "scratch"],
    ),
    ("refused", runs.NO_IMAGES, ["user:canary@host/x", "https://user:canary@host/x"]),
    # Requirements
    ("taken", refused.TAKEN_REQUIREMENTS, ["x[a,b]>=1,<2", "x; python_version > '3'", "x>=1,<1"]),
    ("taken", refused.TAKEN_REQUIREMENTS, ["x @ https://example.com/x-1-py3-none-any.whl"]),
    ("taken", refused.TAKEN_REQUIREMENTS, ["x @ git+https://example.com/r@v1"]),
    ("refused", refused.REFUSED_REQUIREMENTS, ["x=2", "x~=1", "x>=2.*", "x==", "x<2>1", "x\ny", "x\0", "x\u200b"]),
    ("refused", refused.REFUSED_REQUIREMENTS, ["x @ -u", "x @ ext::sh", "x @ git+https://h/r@--upload-pack=touch"]),
    ("refused", refused.REFUSED_REQUIREMENTS, ["x @ https://user:canary@example.com/x-1-py3-none-any.whl"]),
    # Requirements files
    ("taken", files.TAKEN, ["UTF-8 with a mark", "UTF-16, little", "UTF-16, big", "UTF-32, little", "UTF-32, big"]),
    ("taken", files.TAKEN, ["CRLF", "coding", "continuations", "a diamond"]),
    ("refused", files.REFUSED, ["undecodable", "a cycle", "itself", "a missing -r", "a missing -c", "-r of a URL"]),
    ("refused", files.REFUSED, ["-r outside", "-r by a link", "a path outside", "a path by a link"]),
    ("refused", files.REFUSED, ["an unknown option", "a hash of some", "a hash that is cut off", "a weak hash"]),
    ("refused", files.REFUSED, ["an unset variable"]),
    # Dockerfile text
    ("byte for byte", bytes_.EACH, ['"', "\\", "$X", "${X:-y}", "<<EOF"]),
    ("byte for byte", values.ODD, ["a\\", "-x", "--from=x"]),
    ("refused", values.REFUSED_WORDS, [("--env", "A=a\nb"), ("--env", "A=a\0"), ("--label", "a=x\ny")]),
    ("refused", values.REFUSED_WORDS, [("--package", "a;id"), ("--package", "-x"), ("--file", "flow.py=/a\nb")]),
    ("refused", values.REFUSED_OF_A_DOCKERFILE, [("--build-arg", "A=x\0"), ("--target", "a b"), ("--target", "-x")]),
    # .dockerignore
    ("refused", values.REFUSED_RULES, ["!", "["]),
    ("like BuildKit", test_ignore_like_buildkit.RULES, ["negation order", "double star", "below a directory only"]),
    ("like BuildKit", test_ignore_like_buildkit.RULES, ["leading slash", "spaces inside", "spaces around"]),
    (
        "like BuildKit",
        test_ignore_like_buildkit.RULES,
        ["byte order mark", "carriage returns", "a link that leads out"],
    ),
    ("like BuildKit", test_ignore_like_buildkit.RULES, ["the Dockerfile and the rules"]),
    # Configuration
    ("refused", CONFIGURATION, ["python = \n", 'python = "3.12"\npython = "3.12"\n', '\nbase-imgae = "x"\n']),
    (
        "refused",
        CONFIGURATION,
        ['health-check = "true"\n', 'packages = "rich"\n', "env = {A = nan}\n", "python = 3.10\n"],
    ),
    # Entrypoints and parameters
    ("refused", refused.REFUSED_ENTRYPOINTS, ["../flow.py:etl", "/flow.py:etl", "link.py:etl", "flow.py", ":etl"]),
    ("refused", refused.REFUSED_ENTRYPOINTS, ["flow.py:etl:x", "flow.py:nope", "flow.py:number"]),
    ("refused", values.REFUSED_PARAMETERS, [["m=1"], ["n=\ud800"]]),
    # Run settings
    ("taken", runs.TAKEN_SIZES, ["1.5g", "512m", "1GiB"]),
    ("refused", runs.REFUSED_SIZES, ["-1", "NaN", "512x", "", "5m"]),
    ("refused", runs.REFUSED_SETTINGS, ["--env=A B=1", "--env==1", "--env=A\n=1"]),
    ("refused", runs.REFUSED_SETTINGS, ["--volume=/:/x", "--volume=/var/run/docker.sock:/s"]),
    ("allowed", [words[1] for words in runs.ALLOWED], ["--allow-host-root", "--allow-engine-socket"]),
    # EXTRA_PIP_PACKAGES
    ("refused", runs.REFUSED_EXTRAS, ["a;id", "$(id)", "*", "--index-url=https://example.com", "-r /etc/passwd"]),
    ("refused", runs.REFUSED_EXTRAS, ["x @ https://example.com/x-1-py3-none-any.whl?token=canary"]),
    ("taken", runs.TAKEN_EXTRAS, ["x>=1,<2", "x; python_version > '3'"]),
    # Git sources of requirements
    ("refused", files.REFUSED, ["git, an option for a ref", "git, -c for a ref", "git, an option for a host"]),
    ("refused", files.REFUSED, ["git, an option for a repository", "git, ext", "ext", "fd"]),
    ("refused", files.REFUSED, ["git, out by its subdirectory", "git, out by an encoded one", "a login in a git URL"]),
    # Git sources of flows
    (
        "refused",
        SOURCES,
        ["--upload-pack=touch x", "-c", "git+https://example.com/r@--upload-pack=x", "ext::sh -c true"],
    ),
    ("refused", SOURCES, ["git+https://example.com/r@-c", "git+ssh://-oProxyCommand=x/r", "git+ext::sh -c true"]),
    ("refused", SOURCES, ["fd::7", "git+fd::17/foo", "git+https://example.com/r#subdirectory=../x"]),
    ("refused", test_read.LOGINS, ["git+https://canary@example.com/r", "git+ssh://me:canary@example.com/r"]),
]

TESTS: dict[str, Callable[..., Any]] = {
    "a reference's ':t' alone": refused.test_a_tag_alone,
    "all that is wrong with a requirements file at once": files.test_all_that_is_wrong_with_a_file_at_once,
    "paths with spaces and a leading -": values.test_paths_with_spaces_and_dashes_are_taken,
    "values of an image come out byte for byte": bytes_.test_of_an_automatic_image,
    "values of a Dockerfile's build come out byte for byte": bytes_.test_build_arguments_of_a_dockerfile,
    "values of a run come out byte for byte": bytes_.test_of_a_run,
    "the same file list as BuildKit's": test_ignore_like_buildkit.test_the_same_files,
    "fifos are named": values.test_what_cannot_be_sent_is_named,
    "sockets are named": test_source_tree.test_what_cannot_be_sent_is_named_at_once,
    "unreadable files are named": test_source_tree.test_what_may_not_be_read_is_named,
    "an import that raises, exits or hangs": test_health.test_each_thing_that_is_wrong_is_found,
    "an entrypoint's faults in a container": test_runner.test_failures_are_told_apart,
    "parameters that JSON cannot hold": values.test_a_value_that_json_cannot_hold,
    "parameters that are unknown or missing": test_entrypoint.test_unknown_missing_and_positional_only,
    "hooks and submodules of a flow's source": test_fetched.test_what_git_would_run_or_fetch_besides,
    "a missing argument": values.test_a_missing_argument,
}


@pytest.mark.parametrize(("what", "tried", "items"), LISTS)
def test_each_is_tried(what: str, tried: Collection[Any], items: Collection[Any]) -> None:
    assert what
    assert [item for item in items if item not in tried] == []


def test_each_of_the_others_has_a_test_of_its_own() -> None:
    names = [test.__name__ for test in TESTS.values()]
    assert all(name.startswith("test_") for name in names)
    assert len({*names}) == len(names)
