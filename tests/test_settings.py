"""Settings: the environment wins over the file, and every mistake is named."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.errors import UserError
from infra.settings import load_settings
from infra.storage import S3Options

ROOT = Path(__file__).parents[1]


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = load_settings(environment={}, folder=tmp_path)
    assert settings.workers == os.cpu_count()
    assert (settings.scheduler, settings.threads_per_worker, settings.idle_timeout) == (None, 1, 600.0)
    assert settings.s3 == S3Options()
    assert settings.state_dir.name == "sarbatch"
    assert settings.state_dir.is_absolute()
    assert settings.registry_url == f"sqlite:///{settings.state_dir}/registry.sqlite"
    with pytest.raises(ValidationError, match="frozen"):
        settings.workers = 3


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "sarbatch.toml").write_text(
        'workers = 3\nlease_ttl = 5\nstate_dir = "state"\n[s3]\nendpoint = "http://file"\nanonymous = true\n'
    )
    environment = {"SARBATCH_WORKERS": "7", "SARBATCH_SCHEDULER": "", "AWS_ENDPOINT_URL": "http://aws"}
    settings = load_settings(environment=environment, folder=tmp_path)
    assert (settings.workers, settings.lease_ttl, settings.scheduler) == (7, 5.0, None)
    assert settings.state_dir == tmp_path / "state"
    assert settings.s3 == S3Options(endpoint="http://file", anonymous=True)


def test_the_s3_endpoint_falls_back_to_what_aws_tools_use(tmp_path: Path) -> None:
    environment = {"AWS_ENDPOINT_URL": "http://aws"}
    assert load_settings(environment=environment, folder=tmp_path).s3.endpoint == "http://aws"
    environment["SARBATCH_S3_ENDPOINT"] = "http://ours"
    assert load_settings(environment=environment, folder=tmp_path).s3.endpoint == "http://ours"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SARBATCH_WORKERS", "many", r"SARBATCH_WORKERS = 'many'.*integer"),
        ("SARBATCH_WORKERS", "0", r"SARBATCH_WORKERS = '0'.*greater than 0"),
        ("SARBATCH_MEMORY_LIMIT", "a lot", r"(?s)SARBATCH_MEMORY_LIMIT = 'a lot'.*a size such as 4GB"),
        ("SARBATCH_LOG_LEVEL", "loud", r"SARBATCH_LOG_LEVEL = 'loud'.*'DEBUG'"),
        ("SARBATCH_WORKRES", "2", r"(?s)SARBATCH_WORKRES is not a setting.*Did you mean SARBATCH_WORKERS"),
    ],
)
def test_wrong_variables_are_named(variable: str, value: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        load_settings(environment={variable: value}, folder=tmp_path)


@pytest.mark.parametrize("size", ["auto", "4GB", "1.5 GiB", "512MB", "2000000000B"])
def test_sizes_of_memory_are_what_dask_reads(size: str, tmp_path: Path) -> None:
    from dask.utils import parse_bytes

    limit = load_settings(environment={"SARBATCH_MEMORY_LIMIT": size}, folder=tmp_path).memory_limit
    assert limit == "auto" or parse_bytes(limit) >= 512_000_000


def test_faults_of_tests_are_no_settings(tmp_path: Path) -> None:
    load_settings(environment={"SARBATCH_FAULT_AFTER": "commit"}, folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers = ", r"sarbatch\.toml cannot be read"),
        ("work = 2", r"(?s)work in .*sarbatch\.toml is not a setting.*Did you mean workers"),
        ("[s3]\nendpont = 'x'", r"(?s)s3_endpont in .*Did you mean s3_endpoint"),
        ("workers = 'x'", r"workers in .*sarbatch\.toml = 'x'"),
    ],
)
def test_a_wrong_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "sarbatch.toml").write_text(text)
    with pytest.raises(UserError, match=message):
        load_settings(environment={}, folder=tmp_path)


def test_the_command_line_can_afford_the_import() -> None:
    code = "import sys, infra.settings; print(bool({'dask', 'numpy', 'obstore', 'sqlalchemy'} & set(sys.modules)))"
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"
    assert time.monotonic() - start < 5
