"""What an image gets for Prefect's workers."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from imagekit.prefect.wanted import defaults, for_workers, stand_in, version_in, with_prefect
from imagekit.spec.image import ImageSpec, RequirementLine
from imagekit.spec.read import read_spec
from imagekit.spec.table import Table


def spec_of(*texts: str) -> ImageSpec:
    lines = tuple(RequirementLine(text=text, origin="requirements.txt:1") for text in texts)
    return ImageSpec(context=Path("/nowhere"), requirements=lines)


@pytest.mark.parametrize(
    ("asked", "requirements", "constraints"),
    [
        ((), ["prefect==3.8.8"], []),
        (("rich", "prefect-aws"), ["rich", "prefect-aws", "prefect==3.8.8"], []),
        (("prefect",), ["prefect"], ["prefect==3.8.8"]),
        (("Prefect[github]>=3,<4",), ["Prefect[github]>=3,<4"], ["prefect==3.8.8"]),
        (("prefect==3.7.0",), ["prefect==3.7.0"], []),
        (("prefect>=3", "prefect<3.8"), ["prefect>=3", "prefect<3.8"], []),
        (("prefect @ https://example.com/prefect-3.8.8-py3-none-any.whl",), None, []),
    ],
)
def test_prefect_is_the_one_that_deploys_unless_another_is_asked_for(
    asked: tuple[str, ...], requirements: list[str] | None, constraints: list[str]
) -> None:
    found = with_prefect(spec_of(*asked), "3.8.8")
    assert [line.text for line in found.requirements] == (list(asked) if requirements is None else requirements)
    assert [line.text for line in found.constraints] == constraints


def test_a_version_that_no_index_has_is_not_asked_for() -> None:
    assert [line.text for line in with_prefect(spec_of(), "3.8.9.dev1+g0a1b2c").requirements] == ["prefect"]
    assert with_prefect(spec_of("prefect"), "3.8.9+local").constraints == ()


def read(context: Path, own: Table | None = None) -> ImageSpec:
    return read_spec(context, python="3.11", layers=(own or Table(), defaults(context)))


def test_a_project_that_says_nothing(tmp_path: Path) -> None:
    root = tmp_path / "orders"
    root.mkdir()
    (root / "requirements.txt").write_text("rich\n")
    found = for_workers(read(root), "3.8.8")
    assert [line.text for line in found.requirements] == ["rich", "pip", "prefect==3.8.8"]
    assert found.workdir == "/opt/prefect/orders"
    targets = [mapping.target for mapping in found.files]
    assert targets == sorted(targets)
    assert {"/opt/imagekit/start.sh", "/opt/imagekit/stand_in/imagekit.py"} < set(targets)


def test_what_the_project_says_goes_before(tmp_path: Path) -> None:
    (tmp_path / "imagekit.toml").write_text('workdir = "/srv"\nruntime-extras = false\n')
    found = for_workers(read(tmp_path), "3.8.8")
    assert (found.workdir, found.runtime_extras, found.files) == ("/srv", False, ())
    assert [line.text for line in found.requirements] == ["prefect==3.8.8"]


def test_a_lock_says_all(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("rich\n")
    (tmp_path / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "x"\npackages = []\n')
    found = for_workers(read(tmp_path), "3.8.8")
    assert [line.text for line in found.requirements] == ["rich"]
    # The entrypoint needs nothing that is installed, until somebody asks for packages.
    assert found.runtime_extras


def test_hashes_are_as_good_as_a_lock(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"rich==14.0.0 --hash=sha256:{'0' * 64}\n")
    assert [line.text for line in for_workers(read(tmp_path), "3.8.8").requirements] == ["rich==14.0.0"]


def test_versions_by_name() -> None:
    assert version_in(("prefect-aws==1", "prefect==3.8.8")) == "3.8.8"
    assert version_in(("prefect-aws==1",)) is None


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The directory that images have, and a flow's file beside it."""
    place = tmp_path / "stand_in"
    place.mkdir()
    for mapping in stand_in():
        (place / mapping.target.rpartition("/")[2]).write_bytes(mapping.source.read_bytes())
    lines = ("from imagekit import flow", "from imagekit.prefect import DockerImage", "import imagekit.prefect")
    (tmp_path / "flow.py").write_text("\n".join([*lines, "@flow", "def etl(n):", "    return n", "print(etl(3))"]))
    return tmp_path


def started(image: Path, *further: Path) -> str:
    path = ":".join(map(str, (*further, image / "stand_in")))
    words = [sys.executable, "-S", str(image / "flow.py")]  # without packages: as in an image that has none of it
    done = subprocess.run(words, capture_output=True, text=True, env={"PYTHONPATH": path}, cwd=image)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_flows_file_can_be_imported_where_imagekit_is_not(image: Path) -> None:
    assert started(image) == "3\n"


def test_an_imagekit_that_is_installed_goes_before(image: Path) -> None:
    mark = secrets.token_hex(4)
    installed = image / "site" / "imagekit"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text(f"print({mark!r})\nflow = lambda f: f\n")
    (installed / "prefect.py").write_text("DockerImage = None\n")
    (image / "flow.py").write_text((image / "flow.py").read_text())
    # Behind it on the path, where packages are.
    (image / "sitecustomize.py").write_text("")
    path = f"{image / 'stand_in'}:{image / 'site'}"
    words = [sys.executable, "-S", str(image / "flow.py")]
    done = subprocess.run(words, capture_output=True, text=True, env={"PYTHONPATH": path}, cwd=image)
    assert done.stdout == f"{mark}\n3\n", done.stderr


def test_without_prefect_it_says_what_to_install() -> None:
    import imagekit.prefect

    with pytest.raises(ImportError, match=r"pip install 'prefect>=3,<4'"):
        _ = imagekit.prefect.DockerImage
    with pytest.raises(AttributeError, match="has no attribute 'DokerImage'"):
        _ = imagekit.prefect.DokerImage
    assert {"DockerImage", "to_prefect"} <= set(dir(imagekit.prefect))


def test_where_prefect_is_a_flow_is_prefects(image: Path) -> None:
    site = image / "site"
    site.mkdir()
    made = "    def made(fn):\n        print('made', fn.__name__, options)\n        return fn\n    return made\n"
    (site / "prefect.py").write_text(f"def flow(**options):\n{made}")
    text = (image / "flow.py").read_text()
    lines = ("@flow(name='orders', log_prints=True)", "def named(): ...", "flow.from_source('x').to_deployment('y')")
    (image / "flow.py").write_text("\n".join([text, *lines]))
    said = started(image, site)
    assert said == "made etl {}\n3\nmade named {'name': 'orders', 'log_prints': True}\n"
