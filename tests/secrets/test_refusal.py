"""What is refused as a credential and what is not; where it stands is told, and its value never."""

from __future__ import annotations

import io
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import CredentialExposed
from imagekit.progress import PlainReporter
from imagekit.secrets.dockerfile_text import instructions
from imagekit.secrets.refusal import exposed_in_dockerfile, exposed_values, refuse
from imagekit.secrets.shapes import kinds, shapes_in
from imagekit.secrets.telling import credential, generated

from .examples import HARMLESS, TOKENS, TOLD

GITHUB = TOKENS[0][1]


@pytest.mark.parametrize(("kind", "value"), TOKENS, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(TOKENS)])
def test_a_known_token_is_one_under_any_name(kind: str, value: str) -> None:
    assert credential("X", value) == kind
    assert credential("X", f"before {value}\nafter") == kind


@pytest.mark.parametrize(("kind", "name", "value"), TOLD)
def test_a_name_tells(kind: str, name: str, value: str) -> None:
    assert credential(name, value) == kind


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_harmless(name: str, value: str) -> None:
    assert credential(name, value) is None


def test_all_kinds_have_names_of_their_own() -> None:
    assert len(set(kinds())) == len(kinds())
    assert {kind for kind, _ in TOKENS if "URL" not in kind and "netrc" not in kind} == set(kinds())


@given(st.integers(20, 60), st.randoms(use_true_random=False))
def test_what_a_machine_made_up_looks_so(length: int, chance: random.Random) -> None:
    value = "".join(chance.choices(string.ascii_letters + string.digits, k=length))
    # By chance few different characters may come; then it is no secret worth the name.
    if len(set(value)) > 12 and any(c.isdigit() for c in value):
        assert generated(value)


@given(
    st.lists(
        st.sampled_from("alpha beta gamma delta worker queue main prod v2 eu west 1".split()), min_size=1, max_size=6
    )
)
def test_words_joined_do_not(words: list[str]) -> None:
    for joint in "-_./:":
        assert not generated(joint.join(words))


@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_is_judged(value: str, name: str) -> None:
    credential(name, value)
    exposed_in_dockerfile(value, "Dockerfile")


def test_where_a_scanner_was_told_to_pass_it_is_passed() -> None:
    assert not list(shapes_in(f"token = '{GITHUB}'  # gitleaks:allow\n".encode()))
    assert [s.kind for s in shapes_in(f"# gitleaks:allow\ntoken = '{GITHUB}'\n".encode())] == ["a GitHub token"]


def test_in_the_middle_of_other_words_there_is_none() -> None:
    assert not list(shapes_in(("x" + GITHUB).encode()))
    assert [s.offset for s in shapes_in(("a=" + GITHUB).encode())] == [2]


def test_a_font_in_base64_has_none() -> None:
    token = "EA" + "AA" + "mX0kQ3vTz9" * 6
    assert [s.kind for s in shapes_in(f"key: {token}\n".encode())] == ["a payment provider's key"]
    for before, after in (("+", ""), ("/", ""), (" ", "a"), (" ", "+"), (" ", "=")):
        assert not list(shapes_in(f"url(data:font/woff2;base64,d09GMg{before}{token}{after}x)".encode()))


def test_a_build_argument_is_told_with_the_line_that_does_it_right() -> None:
    url = "https://me:s3cretpw@index.example.com/simple"
    [problem] = exposed_values({"AUTHED_ARTIFACT_REG_URL": url, "VERSION": "1", "FROM_HERE": None}, "build argument")
    assert "s3cretpw" not in str(problem) + str(problem.hint) + repr(problem.to_json())
    assert problem.message.startswith("the build argument AUTHED_ARTIFACT_REG_URL holds a URL with a login")
    assert 'secrets=["id=authed_artifact_reg_url,env=AUTHED_ARTIFACT_REG_URL"]' in str(problem.hint)
    assert "RUN --mount=type=secret,id=authed_artifact_reg_url " in str(problem.hint)
    assert "(--secret id=authed_artifact_reg_url,env=AUTHED_ARTIFACT_REG_URL)" in str(problem.hint)
    assert "allow_secret_build_args=True (--allow-secret-build-args)" in str(problem.hint)


def test_all_at_once_or_allowed() -> None:
    problems = exposed_values({"A": GITHUB, "B_PASSWORD": "hunter2"}, "environment variable")
    with pytest.raises(CredentialExposed, match="2 problems") as caught:
        refuse(problems, allow=False, reporter=PlainReporter(io.StringIO()))
    assert "B_PASSWORD" in str(caught.value.details)
    said = io.StringIO()
    refuse(problems, allow=True, reporter=PlainReporter(said))
    assert said.getvalue().count("allowed: ") == 2
    assert GITHUB not in said.getvalue() + str(caught.value.details)
    refuse([], allow=False, reporter=PlainReporter(said))


LINES = [
    ("ARG TOKEN={token}", "ARG TOKEN holds a GitHub token"),
    ('ENV A=1 \\\n    # a comment\n\n    API_KEY="0123456789abcdef0123" B=2', "ENV API_KEY holds a token"),
    ("ENV PASSWORD hunter22", "ENV PASSWORD holds a password"),
    ("LABEL org.token={token}", "LABEL org.token holds a GitHub token"),
    ("LABEL example.com/token=k8Jd-2Lq_9sPz0XwVbN4", "LABEL example.com/token holds a token"),
    ('LABEL "a"="b" "org.token"="{token}"', "LABEL org.token holds a GitHub token"),
    ("onbuild env SECRET_KEY=k8Jd-2Lq_9sPz0XwVbN4", "ENV SECRET_KEY holds a token"),
    ("RUN pip install -i https://me:s3cretpw@index.example.com/simple x", "the RUN line holds a URL with a login"),
    ('RUN curl -H "Authorization: Bearer abcdef0123456789abcd" https://x', "the RUN line holds a token"),
    ("RUN export DB_PASSWORD=letmein1 && ./run", "the RUN line holds a password"),
    ("RUN ./run --token q8Jd2Lq9sPz0XwVbN4", "the RUN line holds a token"),
    ("RUN mysql --password='letmein1'", "the RUN line holds a password"),
    ("RUN <<EOF\nexport API_TOKEN=q8Jd2Lq9sPz0XwVbN4\nEOF", "the RUN line holds a token"),
    ("RUN echo 'machine h login me password hunter22' > /root/.netrc", "the RUN line holds a login for netrc"),
    ('CMD ["run", "--api-key=q8Jd2Lq9sPz0XwVbN4"]', "the CMD line holds a token"),
    ("ADD https://me:s3cretpw@example.com/x /x", "the ADD line holds a URL with a login"),
]


@pytest.mark.parametrize(("line", "words"), LINES)
def test_a_line_of_a_dockerfile(line: str, words: str) -> None:
    text = "# syntax=docker/dockerfile:1\nFROM python:3.11\n" + line.format(token=GITHUB) + "\nUSER 1000\n"
    [problem] = exposed_in_dockerfile(text, "Dockerfile")
    assert problem.message.startswith(f"Dockerfile:3: {words}")
    shown = str(problem) + str(problem.hint)
    for value in (GITHUB, "0123456789abcdef0123", "hunter22", "s3cretpw", "letmein1", "q8Jd2Lq9sPz0XwVbN4"):
        assert value not in shown


@pytest.mark.parametrize(
    "line",
    [
        "ARG TOKEN",
        "ARG GITHUB_TOKEN=",
        'RUN --mount=type=secret,id=token TOKEN="$(cat /run/secrets/token)" pip install x',
        "RUN pip install --require-hashes x --hash=sha256:" + "0a" * 32,
        "RUN pip install git+https://${GITHUB_TOKEN}@example.com/x/y.git",
        "RUN pip install --index-url https://${USER}:${PASSWORD}@example.com/simple x",
        "RUN curl --token-file /x --secret-name projects/x",
        'RUN echo "machine x login y password ${P}" > ~/.netrc',
        "ENV TOKENIZERS_PARALLELISM=false SECRET_NAME=projects/x PYTHONPATH=/a:/b",
        "RUN useradd --create-home --password '' app",
        "# ARG TOKEN=hunter22",
        "RUN echo \\\n  # TOKEN=q8Jd2Lq9sPz0XwVbN4\n  done",
        "HEALTHCHECK CMD curl -f http://localhost:8080/health?x=1",
        "LABEL org.opencontainers.image.revision=8f3c2a1b9d0e7f6a5b4c3d2e1f0a9b8c7d6e5f40",
        "COPY --chmod=0644 --from=build /app/dist/app-1.2.3-py3-none-any.whl /tmp/",
    ],
)
def test_ordinary_lines_pass(line: str) -> None:
    assert exposed_in_dockerfile(f"FROM python:3.11\n{line}\n", "Dockerfile") == []


def test_the_escape_directive_is_honoured() -> None:
    text = "# escape=`\nFROM x\nENV A=C:\\ `\n  DB_PASSWORD=hunter22\n"
    assert [i.name for i in instructions(text)] == ["FROM", "ENV"]
    assert len(exposed_in_dockerfile(text, "Dockerfile")) == 1


@pytest.mark.parametrize(
    "line", ["ENV\tDB_PASSWORD=Hunter2!xyz", "ENV DB_PASSWORD\tHunter2!xyz", "RUN\tDB_PASSWORD=Hunter2!xyz make"]
)
def test_a_tab_separates_as_a_space_does(line: str) -> None:
    (problem,) = exposed_in_dockerfile(line, "Dockerfile")
    assert "Hunter2" not in f"{problem.message} {problem.hint}"


@pytest.mark.parametrize(
    "line",
    [
        'RUN adduser --disabled-password --gecos "" app',
        "RUN --mount=type=secret,id=pg PGPASSWORD=$(cat /run/secrets/pg) psql",
        "RUN --mount=type=secret,id=pg PGPASSWORD=`cat /run/secrets/pg` psql",
        'RUN DB_PASSWORD="$A$B" make',
    ],
)
def test_what_is_no_value_passes(line: str) -> None:
    assert exposed_in_dockerfile(line, "Dockerfile") == []


def test_a_here_string_swallows_nothing() -> None:
    (problem,) = exposed_in_dockerfile('RUN cat <<< "x"\nENV DB_PASSWORD=Hunter2!xyz\n', "Dockerfile")
    assert "Dockerfile:2" in problem.message
