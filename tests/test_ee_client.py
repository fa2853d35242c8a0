"""The real client on the local server: what `ee` does and shows, in its own words."""

from __future__ import annotations

from collections.abc import Iterator

import ee
import pytest
from earth_engine import PROJECT, client, initialize
from google.oauth2.credentials import Credentials

from gee.local.server.serving import serving


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    ee.Reset()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"credentials": None},
        {"credentials": Credentials(token="static")},
        {"credentials": Credentials(token="static", quota_project_id=PROJECT), "project": None},
        {"credentials": None, "cloud_api_key": "a-key"},
    ],
    ids=["anonymous", "none", "token", "project of the token", "key"],
)
@pytest.mark.parametrize("ending", ["", "/", "/some/prefix"], ids=["plain", "slash", "prefix"])
def test_every_way_to_initialize(url: str, options: dict[str, object], ending: str) -> None:
    initialize(url + ending, **options)
    assert ee.Number(1).add(2).getInfo() == 3


def test_the_old_name_of_the_url_works(url: str) -> None:
    initialize(url)
    ee.Reset()
    ee.deprecation.deprecated_assets = {"-": None}
    ee.Initialize(None, opt_url=url, project=PROJECT)  # noqa: TID251 -- the old spelling is what is looked at
    assert ee.Number(2).add(2).getInfo() == 4


def test_without_a_project_the_client_refuses(url: str) -> None:
    with pytest.raises(ee.EEException, match="no project found"):
        initialize(url, project=None)


def test_the_client_gets_its_own_list(url: str) -> None:
    initialize(url)
    assert len(ee.ApiFunction.allSignatures()) > 900


def test_errors_reach_the_client_word_for_word() -> None:
    with client(), pytest.raises(ee.EEException, match=r"^Unknown function name: Nothing\.$"):
        ee.ApiFunction("Nothing", {"name": "Nothing", "args": [], "returns": "Object"}).call().getInfo()


def test_deep_graphs_are_evaluated(url: str) -> None:
    initialize(url)
    total = ee.Number(0)
    for _ in range(900):
        total = ee.Number(1).add(total)
    assert total.getInfo() == 900
