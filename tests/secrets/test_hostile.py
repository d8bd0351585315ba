"""Leaks as people make them, and innocent values that look like some: each as it stands in a file of somebody's."""

from __future__ import annotations

import pytest

from imagekit.secrets.command_text import in_command, in_pair, in_words
from imagekit.secrets.refusal import exposed_in_dockerfile

from .examples import RANDOM as R

PAIRS = [
    # Of the review.
    ("DB", "Driver={ODBC Driver 18 for SQL Server};Server=db,1433;Uid=sa;Pwd=Tr0ub4dor&3;"),
    ("DB", "Server=tcp:db.example.com;Database=x;User ID=app;Password=hunter22;Encrypt=True"),
    ("DSN", "host=db user=app password=hunter22 dbname=x sslmode=require"),
    ("DSN", "host=db user=app password='hunter 22' dbname=x"),
    ("CACHE", "db.example.com:6380,password=q8Jd2Lq9sPz0XwVbN4,ssl=True,abortConnect=False"),
    ("BUS", "Endpoint=sb://x.example.com/;SharedAccessKeyName=a;SharedAccess" + f"Key={(R * 2)[:43]}="),
    ("AZURE_DEVOPS_PAT", "q8jd2lq9spz0xwvbn4q8jd2lq9spz0xwvbn4q8jd2lq9spz0xwvb"),
    ("AUTH_STRING", "q8Jd2Lq9sPz0XwVbN4"),
    ("FERNET_KEY", "q8Jd2Lq9sPz0XwVbN4zKmR7tYc3uFh1oE5gAi6nBv0k="),
    ("AIRFLOW__CORE__FERNET_KEY", "q8Jd2Lq9sPz0XwVbN4zKmR7tYc3uFh1oE5gAi6nBv0k="),
    # Paths and placeholders that are none.
    ("DB_PASSWORD", "my-Tr0ub4dor&3xyz"),
    ("DB_PASSWORD", "the_8kLmN2pQ"),
    ("DB_PASSWORD", "secretsauce"),
    ("DB_PASSWORD", "tokenofmyaffection"),
    ("DB_PASSWORD", "testhunter"),
    ("DB_PASSWORD", "/hunter2"),
    ("AWS_SECRET_ACCESS_KEY", "/K8Jd2Lq9sPz0XwVbN4/abcD3fGh1JkLm5NoPq7R"),
    ("API_KEY", "/aB3/dE5fG7/hI9jK1lM/x9Q+zR2tU8v"),
    ("API_SECRET", "secret:q8Jd2Lq9sPz0XwVbN4"),
    ("API_SECRET", "vault:q8Jd2Lq9sPz0XwVbN4/zKmR7tYc3uFh1oE5"),
    ("DB_PASSWORD", "${DB_PASSWORD:-hunter22}"),
    ("DB_PASSWORD", "$ecret123!"),
    # My own.
    ("GITHUB_TOKEN_PROD", "q8Jd2Lq9sPz0XwVbN4"),
    ("DB_PW", "hunter22"),
    ("SSHPASS", "hunter22"),
    ("BASIC_AUTH", "admin:hunter22"),
    ("DOCKER_AUTH_CONFIG", '{"auths":{"registry.example.com":{"auth":"bWU6aHVudGVyMjI="}}}'),
    ("CREDENTIALS", '{"user": "me", "password": "hunter22"}'),
    ("GOOGLE_CREDENTIALS", '{"type":"authorized_user","client_secret":"q8Jd2Lq9sPz0XwVbN4zKmR7"}'),
    ("JAVA_OPTS", "-Xmx1g -Dspring.datasource.password=hunter22 -Da=b"),
    ("NPM_CONFIG", "//registry.example.com/:_authToken=q8Jd2Lq9sPz0XwVbN4"),
    ("ORACLE_DSN", "scott/Tr0ub4dor@db.example.com:1521/orcl"),
    ("DATABASE_URL", "postgres://app:p/ss#w0rd@db.example.com/x"),
    ("DATABASE_URL", "jdbc:sqlserver://db:1433;databaseName=x;user=sa;password=Tr0ub4dor"),
    ("RAILS_MASTER_KEY", "8f3c2a1b9d0e7f6a5b4c3d2e1f0a9b8c"),
    ("APP_KEY", "base64:q8Jd2Lq9sPz0XwVbN4zKmR7tYc3uFh1oE5gAi6nBv0k="),
    ("SESSION_COOKIE", "q8Jd2Lq9sPz0XwVbN4zKmR7tYc3uFh1o"),
    ("HASH_SALT", "q8Jd2Lq9sPz0XwVbN4"),
    ("WIFI_PSK", "q8Jd2Lq9sPz0XwVbN4"),
    ("X", "registry login: curl -u me:hunter22 https://example.com"),
    ("OPENAI", "sk-" + R[:20] + "T3Blbk" + "FJ" + R[:20]),
    ("TELEGRAM", "110201543:" + "AA" + R[:33]),
]

LINES = [
    "RUN curl -fsSL -u user:hunter22 https://example.com/x",
    "RUN curl -fsSLu user:hunter22 https://example.com/x",
    "RUN curl --user 'user:hunter 22' https://example.com/x",
    "RUN docker login -u me -p hunter22 registry.example.com",
    "RUN docker login registry.example.com --username me -phunter22",
    "RUN echo hunter22 | docker login -u me --password-stdin registry.example.com",
    "RUN printf '%s' hunter22 | skopeo login --password-stdin example.com",
    'RUN ["curl", "-u", "user:hunter22", "https://example.com/x"]',
    'CMD ["docker", "login", "-u", "me", "-p", "hunter22"]',
    'ENTRYPOINT ["run", "--api-token", "q8Jd2Lq9sPz0XwVbN4"]',
    'CMD ["/bin/sh", "-c", "DB_PASSWORD=hunter22 exec ./run"]',
    'HEALTHCHECK CMD ["curl", "-u", "user:hunter22", "http://localhost"]',
    "RUN sshpass -p hunter22 scp x y:",
    "RUN mysql -uroot -phunter22 -e 'select 1'",
    "RUN redis-cli -h cache -a hunter22 ping",
    "RUN openssl req -passout pass:hunter22 -new",
    "RUN echo 'root:hunter22' | chpasswd",
    "RUN chpasswd <<< root:hunter22",
    "RUN htpasswd -bc /etc/htpasswd admin hunter22",
    "RUN htpasswd -nb admin hunter22 > /etc/htpasswd",
    "RUN npm config set //registry.example.com/:_authToken q8Jd2Lq9sPz0XwVbN4",
    "RUN aws configure set aws_secret_access_key q8Jd2Lq9sPz0XwVbN4zKmR7tYc3uFh1oE5gAi6nB",
    "RUN curl -H 'X-Api-Key: q8Jd2Lq9sPz0XwVbN4' https://example.com",
    "RUN curl -H 'Authorization: Basic dXNlcjpodW50ZXIyMg==' https://example.com",
    "RUN keytool -import -storepass hunter22 -alias x",
    "RUN twine upload -u me -p hunter22 dist/*",
    "RUN ssh-keygen -t ed25519 -N hunter22 -f /key",
    "RUN git config --global url.https://me:hunter22@example.com/.insteadOf https://example.com/",
    "RUN redis-server --requirepass hunter22",
    "RUN wget --http-user=me --http-password=hunter22 https://example.com/x",
    "RUN echo '//registry.example.com/:_authToken=q8Jd2Lq9sPz0XwVbN4' > ~/.npmrc",
    "RUN PGPASSWORD=hunter22 psql -h db",
    "RUN poetry config http-basic.corp me hunter22",
    "RUN poetry config pypi-token.corp q8Jd2Lq9sPz0XwVbN4",
    "RUN unzip -o -P hunter22 x.zip",
    "RUN 7z x -y -phunter22 x.7z",
    "RUN openssl enc -d -aes256 -in x -k hunter22",
    "RUN useradd -p $(openssl passwd -6 hunter22) me",
    "RUN lftp -u me,hunter22 ftp.example.com",
    "RUN smbclient //files.example.com/x -U me%hunter22",
    "RUN mongosh -u me -p hunter22 db.example.com",
    "RUN printf 'machine h\\nlogin me\\npassword hunter22\\n' > ~/.netrc",
    "RUN conda config --add channels https://conda.example.com/t/q8Jd2Lq9sPz0XwVbN4/team",
    'LABEL "x"="registry login: curl -u me:hunter22"',
    "RUN az login --service-principal -u app -p q8Jd2Lq9sPz0XwVbN4 --tenant x",
]

INNOCENT_PAIRS = [
    # Of the review.
    ("SLACK_BOT_TOKEN", "xoxb-your-bot-token-here"),
    ("SLACK_BOT_TOKEN", "xoxb-your-token"),
    ("SENTRY_DSN", "https://0123456789abcdef0123456789abcdef@o123456.ingest.sentry.io/4505"),
    ("DB_PASSWORD", "projects/my-project-123456/secrets/db/versions/latest"),
    ("API_KEY", "projects/123456789012/secrets/api-key"),
    ("HTTP_PROXY", "http://proxy.example.com:3128"),
    ("https_proxy", "http://user@proxy.example.com:3128"),
    ("ALL_PROXY", "socks5h://proxy.example.com:1080"),
    ("NO_PROXY", "localhost,127.0.0.1,.example.com,10.0.0.0/8"),
    # My own.
    ("GITHUB_TOKEN", "ghp_your_token_here"),
    ("OPENAI_API_KEY", "sk-your-key-here"),
    ("OPENAI_API_KEY", "sk-..."),
    ("DB_PASSWORD", "<your password>"),
    ("DB_PASSWORD", "replace-me"),
    ("DB_PASSWORD", "****"),
    ("DB_PASSWORD", "${DB_PASSWORD:?must be set}"),
    ("DB_PASSWORD", "${DB_PASSWORD:-changeme}"),
    ("DB_PASSWORD", "@Microsoft.KeyVault(SecretUri=https://v.example.com/secrets/x/)"),
    ("DB_PASSWORD", "vault:secret/data/db#password"),
    ("DB_PASSWORD", "file:/run/secrets/db"),
    ("DB_PASSWORD", "env:DB_PASSWORD"),
    ("DB_PASSWORD", "~/.pgpass"),
    ("DB_PASSWORD", "C:\\secrets\\db.txt"),
    ("DB", "Driver={ODBC Driver 18 for SQL Server};Server=db;Trusted_Connection=yes"),
    ("DB", "host=db user=app password={password} dbname=x"),
    ("DB", "host=db user=app password=$PGPASSWORD dbname=x"),
    ("DB", "select * from users where password = ? and user = :user"),
    ("KEY_ID", "8f3c2a1b9d0e7f6a5b4c"),
    ("PUBLIC_KEY", "q8Jd2Lq9sPz0XwVbN4"),
    ("PARTITION_KEY", "8f3c2a1b9d0e7f6a5b4c"),
    ("PATH", "/opt/venv/bin:/root/.local/bin:/usr/local/sbin:/usr/local/bin"),
    ("FILE_PAT", "*.tar.gz"),
    ("AUTH_BACKEND", "django.contrib.auth.backends.ModelBackend"),
    ("AUTH", "airflow.api.auth.backend.basic_auth"),
    ("AUTH_TYPE", "oauth2"),
    ("CACHE_KEY", "v1-deps-8f3c2a1b9d0e7f6a5b4c"),
    ("JAVA_OPTS", "-Xmx1g -Djava.security.egd=file:/dev/./urandom -Dlog4j2.formatMsgNoLookups=true"),
    ("JDBC", "jdbc:postgresql://db:5432/x?user=app&ssl=true"),
    ("IMAGE", "team/app@sha256:" + "0a1b" * 16),
    ("ACTION", "actions/checkout@v4"),
    ("CALLBACK", "https://example.com:8443/a/b?next=/x@y"),
    ("SSH", "git@example.com:team/x.git"),
    ("CONFIG", '{"token_url": "https://example.com/token", "password_file": "/run/secrets/x"}'),
    ("UVICORN_CMD", "uvicorn app:app --host 0.0.0.0 --port 8000 --no-access-log"),
    ("PS1", "\\u@\\h:\\w$ "),
    ("TOKENIZER", "bert-base-uncased"),
    ("INTEGRITY", "sha512-" + R + R + "=="),
    ("SOURCE_DATE_EPOCH", "1700000000"),
]

INNOCENT_LINES = [
    "RUN useradd -u 1000 -g app app && chown -R app:app /app",
    "RUN install -o app -g app -d /app",
    "USER app:app",
    "RUN curl -fsSL https://example.com/x -o /x",
    "RUN curl -u $USER:$PASSWORD https://example.com",
    'RUN --mount=type=secret,id=t curl -u "me:$(cat /run/secrets/t)" https://example.com',
    "RUN docker run -u 1000:1000 -p 8080:80 x",
    "RUN --mount=type=secret,id=p cat /run/secrets/p | docker login -u me --password-stdin example.com",
    "RUN mysql -u root -p -e 'select 1'",
    "RUN mysqladmin --protocol=tcp ping",
    "RUN apt-get update && apt-get install -y mysql-client redis-tools",
    "RUN ssh-keygen -A && ssh-keygen -t ed25519 -N '' -f /key",
    "RUN pip install --no-cache-dir -r requirements.txt",
    "RUN npm config set registry https://registry.example.com/",
    "RUN set -eux; apt-get update",
    'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]',
    'CMD ["python", "-m", "app", "--token-file", "/run/secrets/token"]',
    'HEALTHCHECK CMD ["curl", "-f", "http://localhost:8080/health"]',
    "RUN docker build --secret id=token,env=TOKEN .",
    "RUN echo 'deb [signed-by=/usr/share/keyrings/x.asc] https://example.com/debian bookworm main' > /etc/apt/x.list",
    "RUN passwd -d root",
    'RUN unzip -P "$(cat /run/secrets/zip)" x.zip && unzip x.zip -d /opt/t/',
    "RUN 7z x x.7z -o/opt && openssl passwd -help",
    "RUN openssl req -x509 -nodes -keyout /k -out /c -k",
    "RUN mongodump -u me -p && smbclient -L files -U me",
    "RUN curl https://example.com/t/topic-name/ https://example.com/a/t/2024/",
    "RUN sed -i 's/^password.*/password=/' /etc/x.conf",
    "RUN printf 'machine example.com login me password %s' \"$P\" > ~/.netrc",
]


@pytest.mark.parametrize(("name", "value"), PAIRS)
def test_a_leak_in_a_variable(name: str, value: str) -> None:
    assert in_pair(name, value) is not None


@pytest.mark.parametrize("line", LINES)
def test_a_leak_in_a_line(line: str) -> None:
    [problem] = exposed_in_dockerfile(f"FROM x\n{line}\n", "Dockerfile")
    assert problem.message.startswith("Dockerfile:2: ")
    assert "hunter" not in f"{problem.message}{problem.hint}"
    # The same as the history of an image tells it.
    name, _, rest = line.partition(" ")
    told = f"RUN |1 VERSION=1 /bin/sh -c {rest} # buildkit" if name == "RUN" and "[" not in rest else line
    assert in_command(told) is not None


@pytest.mark.parametrize(("name", "value"), INNOCENT_PAIRS)
def test_an_innocent_variable(name: str, value: str) -> None:
    assert in_pair(name, value) is None


@pytest.mark.parametrize("line", INNOCENT_LINES)
def test_an_innocent_line(line: str) -> None:
    assert exposed_in_dockerfile(f"FROM x\n{line}\n", "Dockerfile") == []


def test_words_of_a_command() -> None:
    assert in_words(["app", "--db-password", "hunter22"]) == "a password"
    assert in_words(["curl", "-u", "me:hunter 22", "https://example.com"]) == "a password"
    assert in_words(["app", "--db-password", "$PASSWORD", "a b"]) is None
