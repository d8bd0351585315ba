"""The same files as BuildKit's own: many contexts, each with its rules, in one build."""

from __future__ import annotations

import itertools
import os
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.ignore import IgnoreRules
from imagekit.spec.source_tree import scan

FILES = [
    "Dockerfile",
    "a/b/c.txt",
    "a/b/d.py",
    "a/x.py",
    "abc/one",
    "abc/two/three",
    "abc.d/four",
    "docs/README.md",
    "docs/guide/README.md",
    "docs/guide/index.md",
    "foo/x",
    "foo/keep/y",
    "foobar/z",
    "keep.txt",
    "README.md",
    "with space/s p.txt",
    "[x]/y",
    "a^b",
    "a+b.txt",
    "ünï/cödé.txt",
    "!bang/x",
    "#hash",
    "src/__pycache__/m.pyc",
    "src/m.py",
    "dist/p-1.0-py3-none-any.whl",
    "dist/p-1.0.tar.gz",
    ".env",
    ".git/HEAD",
    "back\\slash",
    "star*name",
    "question?mark",
    "two\nlines",
    "tab\tname",
    " leading",
    "trailing ",
    "日本/語.txt",
    "e\u0301/decomposed",
    "-dash",
    "$HOME",
    "{brace}",
    "UPPER/case",
]

RULES = {
    "nothing": "",
    "all": "*",
    "all but one": "*\n!keep.txt",
    "double star": "**",
    "double star but one deep": "**\n!docs/guide/README.md",
    "double star but a directory": "**\n!abc",
    "below a directory only": "abc/**",
    "below, written with a slash": "abc/",
    "last match wins": "*.md\n!README.md\ndocs/guide\n",
    "negation order": "!keep.txt\n*.txt",
    "negated twice": "!!keep.txt",
    "negated and out again": "*.txt\n!*.txt\nkeep.txt",
    "any depth": "**/*.md\n!docs/README.md",
    "any depth by name": "**/README.md",
    "any depth without a slash": "**.md",
    "in the middle": "docs/**/README.md",
    "star stays in a directory": "*/README.md",
    "question mark": "ab?",
    "class": "[abd]*",
    "negated class": "[^a]*",
    "range": "[a-d]*/?",
    "class of other letters": "[ü日]*",
    "escaped class": "\\[x\\]",
    "escaped star": "star\\*name",
    "escaped question mark": "question\\?mark",
    "escaped backslash": "back\\\\slash",
    "leading slash": "/abc\n/docs/README.md",
    "two leading slashes": "//abc",
    "dot slash": "./abc\ndocs/./guide/../README.md",
    "double slash": "docs//guide",
    "spaces around": "  abc  \n\t docs\t\n! docs/guide ",
    "spaces inside": "with space/s p.txt",
    "names with spaces at their ends": "?leading\ntrailing?",
    "byte order mark": "\ufeffabc\nfoo",
    "byte order mark later": "abc\n\ufefffoo",
    "carriage returns": "abc\r\nfoo\r\n!foo/keep\r\n",
    "no-break space around": "\u00a0abc\u00a0\n\u3000foo",
    "comments": "# abc\n#hash\n  #hash\nfoo",
    "escaped bang": "\\!bang",
    "escaped hash": "\\#hash",
    "plus and dots": "a+b.txt\nabc.d",
    "dollar and braces": "$HOME\n{brace}",
    "caret": "a^b",
    "caret with a star": "a^*",
    "dash first": "-dash",
    "case matters": "upper\nUPPER/CASE",
    "prefix that is no directory": "foo",
    "excluded parent matched again": "a*\n!a/x.py\na",
    "excluded, included, excluded": "foo\n!foo/keep\nfoo/keep/y",
    "included with a wildcard": "foo*\n!foo*/*",
    "included at any depth": "*\n!**/*.py",
    "included suffix": "dist\n!dist/*.whl",
    "links": "link-to-dir",
    "behind a link": "link-to-dir/one",
    "a link that leads out": "foo/link-out",
    "the Dockerfile and the rules": "Dockerfile\n.dockerignore",
    "unicode": "ünï/c?dé.txt",
    "composed is not decomposed": "\u00e9",
    "decomposed": "e\u0301",
    "more than one letter to a mark": "?",
    "parent directory": "../abc\n..",
    "up and down again": "abc/../foo",
    "the context itself": ".",
    "the root": "/",
    "three stars": "***/README.md",
    "stars at the end": "docs/g**",
    "stars at both ends": "**ide**",
    "stars and suffix": "docs/**/*",
    "stars between letters": "d**E.md",
    "star bracket": "a[*]b",
    "empty directory": "empty",
    "below an empty directory": "empty/*",
    "only directories": "**/",
    "many": "\n".join(f"**/x{n}" for n in range(500)) + "\nfoo",
    "no end of line": "abc",
    "a line of spaces": "   \n\t\nabc",
}


class BuildKitRefused(Exception):
    """BuildKit's last words."""


def write_context(root: Path, files: Sequence[str] = FILES) -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "empty" / "deeper").mkdir(parents=True)
    (root / "foo" / "link-out").parent.mkdir(exist_ok=True)
    (root / "link-to-dir").symlink_to("abc")
    (root / "foo" / "link-out").symlink_to("../../outside")
    (root / "link-absolute").symlink_to("/etc/passwd")
    return root


def buildkit(contexts: Sequence[Path], out: Path) -> list[dict[str, str | None]]:
    """What BuildKit takes of each of ``contexts``: paths, and where links lead."""
    # Not by standard input: buildx leaves a directory behind for each Dockerfile that came so.
    dockerfile = out.with_name(f"{out.name}-Dockerfile")
    words = ["docker", "buildx", "build", "--file", dockerfile, "--output", f"type=local,dest={out}"]
    for number, context in enumerate(contexts):
        words += ["--build-context", f"c{number}={context}"]
    # A file of its own, so that a context of which nothing is left can be copied, too.
    copies = "".join(f"COPY --from=c{number} . /{number}/\n" for number in range(len(contexts)))
    empty = out.with_name(f"{out.name}-empty")
    empty.mkdir(parents=True)
    dockerfile.write_text(f"FROM scratch\n{copies}")
    done = subprocess.run([*words, "--", empty], capture_output=True)
    if done.returncode != 0:
        raise BuildKitRefused(done.stderr.decode()[-2000:])
    return [taken(out / str(number)) for number in range(len(contexts))]


def taken(root: Path) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = os.path.join(directory, name)
            found[os.path.relpath(path, root)] = os.readlink(path) if os.path.islink(path) else None
    return found


def ours(context: Path) -> dict[str, str | None]:
    return {file.path: file.link_target for file in scan(context).files}


def test_the_same_files(tmp_path: Path) -> None:
    contexts = []
    for number, rules in enumerate(RULES.values()):
        contexts.append(write_context(tmp_path / "contexts" / str(number)))
        (contexts[-1] / ".dockerignore").write_bytes(rules.encode())
    found: list[dict[str, str | None]] = []
    for batch in itertools.batched(contexts, 40) if hasattr(itertools, "batched") else _batches(contexts, 40):
        found += buildkit(batch, tmp_path / f"out{len(found)}")
    assert {name: ours(context) for name, context in zip(RULES, contexts, strict=True)} == dict(
        zip(RULES, found, strict=True)
    )


def _batches(contexts: Sequence[Path], size: int) -> list[Sequence[Path]]:
    return [contexts[start : start + size] for start in range(0, len(contexts), size)]


PLACES = ["a", "a/b", "a/b/c.py", "ab", "ab/a", "ab/a/b", "b.py", "c", "c/a.py", "c/d/e/f", "ü", "ü/a b"]
PARTS = st.sampled_from(
    ["a", "b", "ab", "c", "d", "e", "ü", "a b", "c.py", ".", "..", "*", "**", "***", "?", "a*", "*b"]
)
ODD = st.text(alphabet="ab*?[]^\\!#/. -ü", min_size=1, max_size=6)
PATTERNS = st.builds(
    lambda before, parts, after: before + "/".join(parts) + after,
    st.sampled_from(["", "", "", "!", "!", "/", "./", " ", "! ", "**/", "!**/"]),
    st.lists(
        st.one_of(PARTS, PARTS, PARTS, st.sampled_from(["[ab]", "[^a]", "[a-c]*", "*.py", "\\a"]), ODD),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["", "", "", "/", "/**", "/*", " ", "\r"]),
)
RULE_SETS = st.lists(PATTERNS, min_size=1, max_size=6).map("\n".join)


def valid(text: str) -> bool:
    try:
        IgnoreRules.parse(text)
    except InputError:
        return False
    return True


# One build for all of these, and new ones each time.
FORTY = st.lists(RULE_SETS.filter(valid), min_size=40, max_size=40)
by_build = settings(
    deadline=None,
    # What fails is shown as it was found: a smaller one would be a build for each try.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@settings(by_build, max_examples=2)
@given(FORTY)
def test_the_same_files_by_rules_that_nobody_thought_of(
    tmp_path_factory: pytest.TempPathFactory, rule_sets: list[str]
) -> None:
    same_files(tmp_path_factory.mktemp("rules"), rule_sets)


@pytest.mark.soak
@settings(by_build, max_examples=20)
@given(FORTY)
def test_many_more_of_them(tmp_path_factory: pytest.TempPathFactory, rule_sets: list[str]) -> None:
    same_files(tmp_path_factory.mktemp("rules"), rule_sets)


def same_files(root: Path, rule_sets: list[str]) -> None:
    contexts = []
    for number, rules in enumerate(rule_sets):
        context = root / str(number)
        for place in PLACES:
            path = context / place
            if any(other.startswith(f"{place}/") for other in PLACES):
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("")
        (context / ".dockerignore").write_bytes(rules.encode())
        contexts.append(context)
    theirs = buildkit(contexts, root / "out")
    for rules, context, found in zip(rule_sets, contexts, theirs, strict=True):
        assert ours(context) == found, rules


@pytest.mark.parametrize(
    "rules", ["!", "!/", "!/..", "[", "a[]b", "a\\", "[z-a]", "[a-]", "\\keep.txt", "\\ü", "[\\b]"]
)
def test_refused_as_buildkit_refuses(rules: str, tmp_path: Path) -> None:
    context = write_context(tmp_path / "context")
    (context / ".dockerignore").write_text(rules)
    with pytest.raises(BuildKitRefused):
        buildkit([context], tmp_path / "out")
    with pytest.raises(InvalidProject, match=":1: "):
        scan(context)


@pytest.mark.parametrize(
    ("rules", "own"),
    [
        ("Dockerfile\n.dockerignore\nfoo", None),
        ("foo", "abc\n*.md"),
        ("*", "!foo"),
        (None, "*\n!abc/two"),
        ("[", "abc"),
    ],
    ids=["the Dockerfile itself ignored", "rules of its own", "more in its own", "only its own", "the other not read"],
)
def test_of_the_dockerfile_s_own_context(rules: str | None, own: str | None, tmp_path: Path) -> None:
    """The main context: the Dockerfile is found though it is ignored, and ``<Dockerfile>.dockerignore`` goes first."""
    context, out = write_context(tmp_path / "context"), tmp_path / "out"
    file = context / "build" / "My.Dockerfile"
    file.parent.mkdir()
    file.write_text(f"FROM scratch\nCOPY . /\n# {secrets.token_hex(8)}\n")
    if rules is not None:
        (context / ".dockerignore").write_text(rules)
    beside = file.with_name(f"{file.name}.dockerignore")
    if own is not None:
        beside.write_text(own)
    words = ["docker", "buildx", "build", "--file", file, "--output", f"type=local,dest={out}", "--", context]
    subprocess.run(words, check=True, capture_output=True)
    tree = scan(context, beside if own is not None else None)
    assert {found.path: found.link_target for found in tree.files} == taken(out)


def test_without_rules_all_of_a_dockerfile_s_context(tmp_path: Path) -> None:
    context = write_context(tmp_path / "context")
    (found,) = buildkit([context], tmp_path / "out")
    assert {file.path: file.link_target for file in scan(context, by_default=False).files} == found
    assert {".git", ".env"} <= found.keys()
    assert {".git", ".env"}.isdisjoint(ours(context))
