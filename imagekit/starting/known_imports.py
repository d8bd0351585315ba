"""The distributions that well-known modules come from: for scripts that import and declare nothing."""

from __future__ import annotations

# Where the two have another name.
_OTHER = {
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
_SAME = frozenset(
    """aiohttp altair anyio arrow asyncpg attrs bokeh boto3 celery click cryptography dagster dask deltalake django
    docker duckdb fastapi fastparquet flask fsspec gcsfs geopandas great_expectations gunicorn httpx imagekit jinja2
    joblib jsonschema keras kubernetes lightgbm loguru lxml matplotlib mlflow networkx nltk numba numpy openai openpyxl
    orjson pandas paramiko pendulum plotly polars prefect prefect_aws prefect_azure prefect_dbt prefect_gcp
    prefect_github prefect_shell prefect_slack prefect_snowflake prefect_sqlalchemy psutil psycopg pyarrow pydantic
    pydantic_settings pymongo pymysql pytz redis requests rich s3fs scipy scrapy seaborn shapely snowflake spacy
    sqlalchemy sqlmodel starlette statsmodels streamlit structlog sympy tenacity tensorflow toolz torch torchvision
    tornado tqdm transformers typer typing_extensions ujson uvicorn websockets xarray xgboost xlsxwriter""".split()
)


def distribution_of(module: str) -> str | None:
    """The distribution (normalized) that the top-level ``module`` most likely comes from, if it is a known one."""
    if module in _OTHER:
        return _OTHER[module]
    return module.replace("_", "-").lower() if module in _SAME else None


def may_bring(module: str) -> set[str]:
    """Names, normalized, by which a distribution with ``module`` may go."""
    plain = module.replace("_", "-").lower()
    known = distribution_of(module)
    variants = {"psycopg2": {"psycopg2"}, "cv2": {"opencv-python", "opencv-contrib-python"}}.get(module, set())
    return {plain, f"python-{plain}", f"py{plain}", *variants, *({known} if known else ())}
