"""``imagekit config`` and ``--profile``, as a person uses them."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from tests.cli.conftest import Imagekit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".config" / "imagekit" / "config.toml"


@pytest.fixture
def imagekit(here: Imagekit) -> Imagekit:
    """In this process: that one of its own says the same is looked at in ``test_refusals``."""
    return here


def test_set_view_get_and_unset(imagekit: Imagekit, path: Path) -> None:
    assert imagekit("config", "set", "default-namespace=registry.example.com/team", "engine-timeout=7").returncode == 0
    seen = json.loads(imagekit("config", "view", "--json", "--origin").stdout)
    assert seen["default-namespace"] == {
        "value": "registry.example.com/team",
        "origin": f"{path}:1",
        "file": str(path),
        "line": 1,
        "variable": None,
        "profile": None,
    }
    assert seen["engine"]["variable"] == "IMAGEKIT_ENGINE"
    assert json.loads(imagekit("config", "view", "--json").stdout)["engine-timeout"] == 7
    assert imagekit("config", "get", "engine-timeout").stdout == "7\n"
    assert imagekit("config", "path").stdout == f"{path}\n"
    assert imagekit("config", "unset", "default-namespace").returncode == 0
    assert path.read_text() == "engine-timeout = 7\n"
    wrong = imagekit("config", "set", "default-namespce=x")
    assert (wrong.returncode, "did you mean 'default-namespace'?" in wrong.stderr) == (2, True)
    assert path.read_text() == "engine-timeout = 7\n"
    gone = imagekit("config", "get", "default-namespace")
    assert (gone.returncode, gone.stdout, gone.stderr) == (1, "", "")
    assert imagekit("config", "get", "enginee").returncode == 2


def test_what_is_set_behind_a_variable_is_said(imagekit: Imagekit) -> None:
    done = imagekit("config", "set", "engine=unix:///x.sock")
    assert done.returncode == 0
    assert "IMAGEKIT_ENGINE is set here, and goes before it" in done.stderr


def test_profiles(imagekit: Imagekit, path: Path) -> None:
    imagekit("config", "set", "default-namespace=team")
    assert imagekit("config", "set", "--profile", "prod", "default-namespace=registry.example.com/prod").returncode == 0
    assert imagekit("config", "profiles").stdout == "* default\n  prod\n"
    assert imagekit("config", "get", "default-namespace").stdout == "team\n"
    for arguments in (["config", "get", "--profile=prod"], ["--profile", "prod", "config", "get"]):
        assert imagekit(*arguments, "default-namespace").stdout == "registry.example.com/prod\n"
    assert imagekit("config", "get", "default-namespace", env={"IMAGEKIT_PROFILE": "prod"}).stdout.endswith("/prod\n")
    assert imagekit("config", "use-profile", "prod").returncode == 0
    assert json.loads(imagekit("config", "profiles", "--json").stdout)["origin"] == f"{path}:2"
    assert imagekit("config", "get", "default-namespace").stdout == "registry.example.com/prod\n"
    assert imagekit("config", "get", "default-namespace", "--profile", "default").stdout == "team\n"
    # What holds is what is changed.
    imagekit("config", "unset", "default-namespace")
    assert imagekit("config", "get", "default-namespace").stdout == "team\n"
    imagekit("config", "use-profile", "default")
    assert path.read_text() == 'default-namespace = "team"\n\n[profiles.prod]\n'


def test_an_unknown_profile_is_refused_by_any_command(imagekit: Imagekit) -> None:
    imagekit("config", "set", "--profile", "prod", "engine-timeout=3")
    for arguments in (["build"], ["config", "view"], ["config", "use-profile"], ["plan"]):
        wrong = ["pord"] if "use-profile" in arguments else ["--profile", "pord"]
        done = imagekit(*arguments, *wrong)
        assert done.returncode == 2
        assert "no profile 'pord'" in done.stderr
        assert "hint: did you mean 'prod'?" in done.stderr


def test_a_profile_is_gone_by(imagekit: Imagekit, tmp_path: Path) -> None:
    imagekit("config", "set", "--profile", "far", f"cache-dir={tmp_path}/far", "python=3.8")
    done = imagekit("plan", "--profile", "far", "--json", "--python", "3.11")
    assert json.loads(done.stdout)["error"] == "EngineNotFound"
    assert (tmp_path / "far").is_dir()


def test_the_project_is_viewed_with_its_lines(imagekit: Imagekit, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    pyproject = tmp_path / "project" / "pyproject.toml"
    pyproject.write_text('[project]\nname = "x"\nversion = "1"\n\n[tool.imagekit]\nname = "orders"\n')
    imagekit("config", "set", "resolver=pip-tools")
    done = imagekit("config", "view", "project", "--origin", env={"IMAGEKIT_PLATFORM": "linux/arm64"})
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.startswith("  ")}
    assert rows["name"][1:] == ["orders", f"({pyproject}:6)"]
    assert rows["platform"][1:] == ["linux/arm64", "(IMAGEKIT_PLATFORM)"]
    assert rows["resolver"][1] == "pip-tools"
    assert rows["workdir"][1:] == ["/app", "(default)"]


def test_no_credential_is_shown_or_kept(imagekit: Imagekit, path: Path, tmp_path: Path) -> None:
    token = "ghp_" + secrets.token_hex(18)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "imagekit.toml").write_text(
        f'extra-dockerfile-commands = ["RUN curl -u me:{token[4:]} https://example.com"]\n'
        f'[env]\nTOK = "{token}"\nDB_PASSWORD = "{token[4:]}"\nURL = "https://me:{token[4:]}@example.com"\nTZ = "UTC"\n'
    )
    by_variable = {"IMAGEKIT_LABELS": f"api-key={token[4:]}"}
    for arguments in (["view", "project", "--origin"], ["view", "project", "--json"], ["get", "env", "project"]):
        done = imagekit("config", *arguments, env=by_variable)
        assert token[4:] not in done.stdout + done.stderr
        assert "UTC" in done.stdout
    seen = json.loads(imagekit("config", "view", "project", "--json", env=by_variable).stdout)
    assert seen["env"] == {"TOK": "***", "DB_PASSWORD": "***", "URL": "https://***@example.com", "TZ": "UTC"}
    assert seen["labels"] == {"api-key": "***"}
    for assignment in (f"labels=TOK={token}", f"default-namespace={token}"):
        refused = imagekit("config", "set", assignment)
        assert (refused.returncode, "and is not kept" in refused.stderr) == (2, True)
        assert token not in refused.stdout + refused.stderr
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("[tool.imagekit\n", "pyproject.toml:1: ", "mend the TOML there"),
        ("[tool.imagekit]\nname = 'a'\nname = 'b'\n", "pyproject.toml:3: ", "there twice"),
        ("name = 1\n[tool.imagekit]\nname = 1\n", "pyproject.toml:3: [tool.imagekit] name is not a string", '"1"'),
        ("[tool.imagekit]\nhealth-check = 'true'\n", ":2: [tool.imagekit] health-check", "without quotes"),
        ("[tool.imagekit]\nenv = {A = nan}\n", ":2: [tool.imagekit] env.A is not a string", 'A = "nan"'),
        ("[tool.imagekit]\npython = 3.10\n", ":2: [tool.imagekit] python is not a string", 'python = "3.10"'),
        ("[tool.imagekit.files]\na = ['b']\n", ":2: [tool.imagekit] files.a is not a string", "make it a string"),
        ("[tool.imagekit]\npakcages = []\n", ":2: [tool.imagekit] pakcages is not a known key", "packages"),
        ("[[tool.imagekit]]\n", "tool.imagekit is not a table", "make it a table"),
    ],
)
def test_a_bad_table_has_its_line_and_what_mends_it(
    here: Imagekit, tmp_path: Path, text: str, words: str, hint: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    for command in ("plan", "config"):
        done = here(command, *(["view"] if command == "config" else []), "--json")
        found = json.loads(done.stdout)
        assert done.returncode == 2
        assert words in found["message"]
        assert hint in found["hint"]


def test_the_schema_is_json(imagekit: Imagekit) -> None:
    assert "python" in json.loads(imagekit("config", "schema").stdout)["properties"]
    assert "profiles" in json.loads(imagekit("config", "schema", "--user").stdout)["properties"]


def test_init_prints_writes_and_never_over_what_is_there(imagekit: Imagekit, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text("from prefect import flow\n\n@flow\ndef etl():\n    pass\n")
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n# kept\n")
    printed = imagekit("init", "--dry-run")
    assert not (tmp_path / "imagekit.toml").exists()
    told = json.loads(imagekit("init", "--dry-run", "--json").stdout)
    assert (told["written"], told["text"], told["flows"]) == (False, printed.stdout, ["flow.py:etl"])
    assert told["next"] == ["imagekit build", "imagekit run flow.py:etl"]
    done = imagekit("init")
    assert done.stdout.splitlines()[-2:] == ["next: imagekit build", "then: imagekit run flow.py:etl"]
    written = tmp_path / "imagekit.toml"
    assert written.read_text() == printed.stdout
    written.write_text("# mine\n")
    for arguments in ([], ["--pyproject"], ["--pyproject", "--force"]):
        refused = imagekit("init", *arguments)
        assert (refused.returncode, "imagekit.toml is there already" in refused.stderr) == (2, True)
    assert written.read_text() == "# mine\n"
    assert imagekit("init", "--force").returncode == 0
    assert written.read_text() == printed.stdout
    written.unlink()
    assert imagekit("init", "--pyproject").returncode == 0
    pyproject = (tmp_path / "pyproject.toml").read_text()
    assert pyproject == f"[tool.ruff]\n# kept\n\n[tool.imagekit]\n{printed.stdout}"
    assert json.loads(imagekit("config", "view", "--json").stdout)["entrypoints"] == ["flow.py:etl"]
    assert "already" in imagekit("init", "--force").stderr
    assert imagekit("init", "nowhere").returncode == 2
