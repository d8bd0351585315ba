"""The same files as BuildKit's own, by building from the same context with it."""

import os
import subprocess
from pathlib import Path

import pytest

from imagekit.errors import InvalidProject
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
    "any depth": "**/*.md\n!docs/README.md",
    "any depth by name": "**/README.md",
    "any depth without a slash": "**.md",
    "in the middle": "docs/**/README.md",
    "star stays in a directory": "*/README.md",
    "question mark": "ab?",
    "class": "[abd]*",
    "negated class": "[^a]*",
    "range": "[a-d]*/?",
    "escaped class": "\\[x\\]",
    "leading slash": "/abc\n/docs/README.md",
    "dot slash": "./abc\ndocs/./guide/../README.md",
    "spaces around": "  abc  \n\t docs\t\n! docs/guide ",
    "spaces inside": "with space/s p.txt",
    "byte order mark": "\ufeffabc\nfoo",
    "carriage returns": "abc\r\nfoo\r\n!foo/keep\r\n",
    "comments": "# abc\n#hash\n  #hash\nfoo",
    "escaped bang": "\\!bang",
    "plus and dots": "a+b.txt\nabc.d",
    "caret": "a^b",
    "caret with a star": "a^*",
    "prefix that is no directory": "foo",
    "excluded parent matched again": "a*\n!a/x.py\na",
    "excluded, included, excluded": "foo\n!foo/keep\nfoo/keep/y",
    "included with a wildcard": "foo*\n!foo*/*",
    "included at any depth": "*\n!**/*.py",
    "included suffix": "dist\n!dist/*.whl",
    "links": "link-to-dir",
    "the Dockerfile": "Dockerfile\n.dockerignore",
    "unicode": "ünï/c?dé.txt",
    "parent directory": "../abc\n..",
    "the context itself": ".",
    "the root": "/",
    "three stars": "***/README.md",
    "stars at the end": "docs/g**",
    "stars and suffix": "docs/**/*",
    "star bracket": "a[*]b",
    "empty directory": "empty",
}


@pytest.fixture
def context(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "empty" / "deeper").mkdir(parents=True)
    (root / "link-to-dir").symlink_to("abc")
    (root / "foo" / "link-out").symlink_to("../../outside")
    (root / "link-absolute").symlink_to("/etc/passwd")
    return root


def buildkit(context: Path, out: Path) -> set[str]:
    """What BuildKit copies of ``context``."""
    subprocess.run(
        ["docker", "buildx", "build", "--file", "-", "--output", f"type=local,dest={out}", "--", str(context)],
        input=b"FROM scratch\nCOPY . /\n",
        check=True,
        capture_output=True,
    )
    found = set()
    for directory, directories, files in os.walk(out):
        found |= {os.path.relpath(os.path.join(directory, name), out) for name in (*directories, *files)}
    return found


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
def test_the_same_files(rules: str, context: Path, tmp_path: Path) -> None:
    (context / ".dockerignore").write_bytes(rules.encode())
    ours = {f.path for f in scan(context).files}
    assert ours == buildkit(context, tmp_path / "out")


@pytest.mark.parametrize("rules", ["!", "!/", "!/..", "[", "a[]b", "a\\", "[z-a]", "[a-]"])
def test_refused_as_buildkit_refuses(rules: str, context: Path, tmp_path: Path) -> None:
    (context / ".dockerignore").write_text(rules)
    with pytest.raises(subprocess.CalledProcessError):
        buildkit(context, tmp_path / "out")
    with pytest.raises(InvalidProject, match=":1: "):
        scan(context)
