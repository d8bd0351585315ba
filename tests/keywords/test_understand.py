"""What given keywords come to, with nothing but them: no engine, no file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from imagekit.errors import InputError, UnknownKeyword
from imagekit.keywords.meaning import destinations
from imagekit.keywords.table import KEYWORDS, Keyword, Verdict
from imagekit.keywords.understand import OF_STEPS, dockerfile_fields, understand
from imagekit.stages.dockerfile import DockerfileBuild

# A value that asks for something, for keywords whose check takes few.
VALUES: dict[str, Any] = {
    "network_mode": "host",
    "network": "host",
    "shmsize": "64m",
    "builder": "buildkit",
    "build_backend": "buildx",
    "cache": False,
    "load": False,
    "use_config_proxy": False,
    "include_source": False,
    "output": "registry",
}
CANDIDATES = ("text", True, {"NAME": "value"}, {"host": "10.0.0.1"}, ["a", "b"])


def value_for(keyword: Keyword) -> Any:
    if keyword.name in VALUES:
        return VALUES[keyword.name]
    for value in CANDIDATES:
        try:
            keyword.check(value, keyword.name)
        except InputError:
            continue
        return value
    raise AssertionError(f"no value for {keyword.name}")


OF_PLACES = {"name", "tag", "dockerfile", "stream_progress_to", "build_backend", "context", "path", "push"}
OTHERS = [keyword for keyword in KEYWORDS if keyword.name not in OF_PLACES]


@pytest.mark.parametrize("auto", [True, False], ids=["auto", "dockerfile"])
@pytest.mark.parametrize("keyword", OTHERS, ids=lambda keyword: keyword.name)
def test_the_verdict_is_what_happens(keyword: Keyword, auto: bool) -> None:
    given = {"dockerfile": "auto" if auto else "Dockerfile", keyword.name: value_for(keyword)}
    use = keyword.auto if auto else keyword.dockerfile
    if use.verdict is Verdict.REFUSED:
        with pytest.raises(InputError, match=keyword.name) as caught:
            understand(given)
        assert caught.value.hint == use.words
        return
    found = understand(given)
    is_ignored = use.verdict is not Verdict.HONOURED
    assert [line.split()[0] for line in found.ignored] == [keyword.name] * is_ignored
    assert (keyword.same_as or keyword.name) in found.values
    if use.verdict in (Verdict.WITH_COMMANDS, Verdict.WITH_BUILDKIT):
        more = {"extra_dockerfile_commands": ["RUN true"], "builder": "buildkit"}
        assert understand({**given, **more}).ignored == ()


@pytest.mark.parametrize("keyword", OTHERS, ids=lambda keyword: keyword.name)
def test_what_asks_for_nothing_is_never_refused(keyword: Keyword) -> None:
    empty: list[object] = [kind() for kind in (list, dict) if _takes(keyword, kind)]
    if keyword.of in ("docker-py", "buildx"):
        empty.append("")
    for value in (None, *keyword.harmless, *empty):
        for dockerfile in ("auto", "Dockerfile"):
            assert understand({"dockerfile": dockerfile, keyword.name: value}).ignored == ()


def _takes(keyword: Keyword, kind: type) -> bool:
    """Whether the keyword takes something of the kind that is not empty."""
    candidates: tuple[object, ...] = (value_for(keyword), *CANDIDATES)
    for value in candidates:
        try:
            keyword.check(value, keyword.name)
        except InputError:
            continue
        if isinstance(value, kind):
            return True
    return False


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("requirements", 3, "requirements must be a path or a list of paths, not 3"),
        ("requirements", [3], "a list with other things in it"),
        ("requirements", {"a"}, "not a set with"),
        ("packages", math.nan, "packages must be a list of strings, not NaN"),
        ("packages", {"rich": "13"}, "not a dict"),
        ("packages", "a\nb", "line break"),
        ("buildargs", "x", "buildargs must be a dict of strings, not a string"),
        ("buildargs", ["A=1"], "a dict of strings"),
        ("buildargs", {"A": 1}, r"buildargs\['A'\] must be a string, not 1"),
        ("buildargs", {"A": math.nan}, "not NaN"),
        ("buildargs", {"A": True}, "not True"),
        ("buildargs", {3: "x"}, "no name of a build argument"),
        ("buildargs", {"A=B": "x"}, "no name of a build argument"),
        ("buildargs", {"": "x"}, "no name of a build argument"),
        ("buildargs", {"A": "x\0y"}, "NUL"),
        ("buildargs", {"A": "\udcff"}, "no valid text"),
        ("build_args", {"A": b"x"}, "not bytes"),
        ("labels", {"a": None}, "not None"),
        ("labels", {"a=b": "c"}, "no name for a label"),
        ("labels", {"": "c"}, "no name for a label"),
        ("labels", {"a": "b\nc"}, "line break"),
        ("labels", {"a": "\0"}, "NUL"),
        ("env", [("A", "1")], "a dict of strings"),
        ("env", {1: "x"}, "a name in env must be a string"),
        ("files", "a=b", "a dict of strings"),
        ("base_image", 3, "base_image must be a string"),
        ("python", 3.1, "python must be a string, not 3.1"),
        ("health_check", "true", "health_check must be True or False, not a string"),
        ("include_source", 1, "not 1"),
        ("nocache", "yes", "nocache must be True or False"),
        ("cache", 0, "cache must be True or False"),
        ("pull", 1, "pull must be True or False"),
        ("push", "True", "push must be True or False"),
        ("platform", 3, "platform must be a list of strings"),
        ("platforms", [None], "a list with other things"),
        ("shmsize", -1, "shmsize must be a size .* not -1"),
        ("shmsize", 0, "shmsize must be a size"),
        ("shmsize", True, "not True"),
        ("shmsize", "64x", "shmsize is a size: a number, and b, k, m or g"),
        ("shmsize", math.nan, "not NaN"),
        ("extra_hosts", {"a b": "10.0.0.1"}, "not HOST:ADDRESS"),
        ("extra_hosts", ["host"], "not HOST:ADDRESS"),
        ("extra_hosts", ["a:1,b:2"], "not HOST:ADDRESS"),
        ("extra_hosts", {"a": 1}, "must be a string, not 1"),
        ("network_mode", "bridge", "default, none, host"),
        ("target", 1, "target must be a string"),
        ("target", "a b", "no stage"),
        ("target", "-x", "no stage"),
        ("cache_from", [1], "a list with other things"),
        ("cache_from", {"type": 1}, "must be a string"),
        ("secrets", 3, "secrets must be a list of strings"),
        ("ssh", {"default": 1}, "not a dict"),
        ("build_contexts", {"a b": "."}, "no context"),
        ("build_contexts", {"a": ""}, "no context"),
        ("dockerfile", 3, "dockerfile must be a path, not 3"),
        ("dockerfile", "a\0b", "NUL"),
        ("context", 3, "context must be a path"),
        ("stream_progress_to", "log.txt", "stream_progress_to must be a stream"),
        ("build_backend", "podman", "'podman'"),
        ("build_backend", ["buildx"], "build_backend must be a string"),
        ("builder", "kaniko", "'kaniko'"),
        ("source_builds", 3, "True, False or a list of names"),
        ("entrypoints", [Path("a")], "a list with other things"),
        ("extra_dockerfile_commands", "RUN true", "a list of strings, not a string"),
        ("output", 3, "output must be a list of strings"),
        ("tag", 3, "tag must be a string, not 3"),
    ],
)
def test_a_wrong_type_is_told_in_words(keyword: str, value: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        understand({keyword: value})
    assert caught.value.hint


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        understand({"packages": 3, "no_such": 1, "squash": True, "env": "x"})
    details = caught.value.details or ""
    assert all(words in details for words in ("packages must be", "'no_such'", "'squash'", "env must be"))


@pytest.mark.parametrize(
    ("keyword", "nearest"),
    [
        ("buildarg", "buildargs"),
        ("no_cache", "nocache"),
        ("requirement", "requirements"),
        ("healthcheck", "health_check"),
        ("extra_host", "extra_hosts"),
        ("dockerfile_commands", "extra_dockerfile_commands"),
        ("secret", "secrets"),
    ],
)
def test_the_nearest_keyword_is_named(keyword: str, nearest: str) -> None:
    with pytest.raises(UnknownKeyword) as caught:
        understand({keyword: "x"})
    assert caught.value.hint == f"did you mean {nearest!r}?"
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"buildargs": {"A": "1"}, "build_args": {"A": "1"}}, "buildargs and build_args are the same"),
        ({"context": ".", "path": "."}, "context and path are the same"),
        ({"nocache": True, "cache": False}, "nocache and cache are the same"),
        ({"platform": "linux/amd64", "platforms": ["linux/amd64"]}, "platform and platforms are the same"),
    ],
)
def test_two_names_of_one_thing(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        understand(given)


def test_each_form_of_a_value_comes_to_one() -> None:
    values = understand(
        {
            "dockerfile": "D",
            "add_hosts": {"db": "10.0.0.7"},
            "cache": False,
            "platforms": ["linux/amd64", "linux/arm64"],
            "cache_from": [{"type": "local", "src": "a"}, "registry/x:1"],
            "cache_to": {"type": "inline"},
            "secrets": "id=a,src=a",
            "ssh": "default",
            "shmsize": 1 << 20,
            "build_args": {"A": "1", "B": None},
            "network": "none",
            "path": "/x",
        }
    ).values
    assert values == {
        "dockerfile": Path("D"),
        "extra_hosts": ("db:10.0.0.7",),
        "nocache": True,
        "platform": ("linux/amd64", "linux/arm64"),
        "cache_from": ("type=local,src=a", "registry/x:1"),
        "cache_to": ("type=inline",),
        "secrets": ("id=a,src=a",),
        "ssh": ("default",),
        "shmsize": "1048576",
        "buildargs": {"A": "1", "B": None},
        "network_mode": "none",
        "context": Path("/x"),
    }
    assert understand({"platform": "linux/amd64, linux/arm64"}).values["platform"] == ("linux/amd64", "linux/arm64")
    assert understand({"extra_hosts": ["db:10.0.0.7", "six:::1"]}).values["extra_hosts"] == ("db:10.0.0.7", "six:::1")


def test_the_arguments_of_buildx() -> None:
    given = {
        "dockerfile": "D",
        "buildargs": {"A": "1", "FROM_ENV": None},
        "labels": {"b": "2"},
        "extra_hosts": {"host": "10.0.0.1"},
        "build_contexts": {"more": "/more"},
        "allow": ["network.host"],
        "network_mode": "host",
        "shmsize": 1 << 20,
        "target": "last",
        "platform": "linux/arm64",
        "cache_from": "cache:1",
        "cache_to": "type=inline",
        "buildx_builder": "far",
        "provenance": False,
        "nocache": True,
        "pull": True,
    }
    build = DockerfileBuild(
        context=Path("/c"), dockerfile=Path("/c/D"), reference="o:1", **dockerfile_fields(understand(given).values)
    )
    assert build.arguments() == (
        "buildx build --progress plain --load --file /c/D --tag o:1 --build-arg A=1 --build-arg FROM_ENV --label b=2"
        " --cache-from cache:1 --cache-to type=inline --add-host host:10.0.0.1"
        " --build-context more=/more --allow network.host --builder far --target last --platform linux/arm64"
        " --network host --shm-size 1048576 --provenance false --no-cache --pull -- /c"
    ).split(" ")


def test_what_reaches_extra_commands() -> None:
    steps = "buildargs extra_hosts network_mode shmsize build_contexts allow"
    expected = f"{steps} build_args add_hosts network"
    assert expected.split() == [keyword.name for keyword in KEYWORDS if keyword.name in OF_STEPS]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (True, False, [], [None])),
        ({"push": True}, (True, True, [], [None])),
        ({"output": "registry"}, (False, True, ["registry"], [None])),
        ({"output": ["engine", "registry"]}, (True, True, [], [None])),
        ({"output": ["engine", "oci:out"]}, (True, False, ["oci:out"], [None])),
        ({"output": "oci:out", "push": True}, (False, True, ["oci:out", "registry"], [None])),
        ({"platform": "linux/arm64"}, (True, False, [], ["linux/arm64"])),
        ({"platforms": ["linux/amd64"], "push": True}, (True, True, [], ["linux/amd64"])),
        (
            {"platforms": ["linux/amd64", "linux/arm64"], "push": True},
            (False, True, ["registry"], ["linux/amd64", "linux/arm64"]),
        ),
        (
            {"platforms": ["linux/amd64", "linux/arm64"], "output": "oci:out"},
            (False, False, ["oci:out"], ["linux/amd64", "linux/arm64"]),
        ),
    ],
)
def test_where_an_image_goes(given: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = destinations(understand(given).values, auto=True)
    assert (found.engine, found.push, [*map(str, found.outputs)], [*found.platforms]) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"platforms": ["linux/amd64", "linux/arm64"]}, "no engine holds an image of 2 platforms"),
        ({"platforms": ["linux/amd64", "linux/arm64"], "output": "engine"}, "engine takes one platform"),
        ({"platforms": ["linux/amd64", "linux/amd64"], "push": True}, "twice"),
        ({"platform": "sparc"}, "sparc"),
        ({"output": "regestry"}, "unknown"),
        ({"output": "oci"}, "has no path"),
        ({"output": ["engine", "engine"]}, "twice"),
        ({"output": "registry", "extra_dockerfile_commands": ["RUN true"]}, "takes an engine"),
        ({"output": "registry", "builder": "buildkit"}, "takes an engine"),
    ],
)
def test_places_that_do_not_go_together(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        destinations(understand(given).values, auto=True)
    assert caught.value.hint


def test_several_platforms_of_a_dockerfile_need_a_push() -> None:
    given = understand({"dockerfile": "D", "platforms": ["linux/amd64", "linux/arm64"]}).values
    with pytest.raises(InputError, match="no engine holds"):
        destinations(given, auto=False)
    assert destinations({**given, "push": True}, auto=False).push
