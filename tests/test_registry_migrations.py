"""The schema up and down on both databases: no row is lost, and of processes that would upgrade at once one does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from test_registry import RUN, a_product, a_run, full_run, race

from infra.errors import StateError
from pipelines.registry import database, tables
from pipelines.registry.database import Database, migrate
from pipelines.registry.registry import Registry

# What a later version might bring: a column of a table that others refer to, filled from what is there, and an index
LATER = """
import time
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{last}", None, None

def upgrade():
    with op.batch_alter_table("run", recreate="auto") as batch:
        batch.add_column(sa.Column("note", sa.String))
        batch.alter_column("job", existing_type=sa.String, type_=sa.Text, existing_nullable=False)
    op.execute("UPDATE run SET note = job || '!'")
    op.create_index("ix_event_kind", "event", ["kind"])
    time.sleep({pause})

def downgrade():
    op.drop_index("ix_event_kind", "event")
    with op.batch_alter_table("run") as batch:
        batch.drop_column("note")
        batch.alter_column("job", existing_type=sa.Text, type_=sa.String, existing_nullable=False)
"""


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """Migrations with one more."""
    folder = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions/9999_later.py").write_text(LATER.format(last=database.REVISIONS[-1], pause=0.5))
    return folder


def differences(opened: Database) -> list[Any]:
    """Between the schema that is there and the models."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with opened.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": database.VERSION_TABLE})
        return list(compare_metadata(context, tables.metadata))


def names(opened: Database) -> set[str]:
    from sqlalchemy import inspect

    with opened.read() as connection:
        return set(inspect(connection).get_table_names())


def test_down_to_nothing_and_up_again(registry_url: str) -> None:
    with Registry.open(registry_url) as registry:
        full_run(registry)
        exported = registry.export_run(RUN)
    opened = Database(registry_url)
    assert differences(opened) == []
    with opened.write() as connection:
        migrate(connection, "base")
    assert names(opened) == set()
    opened.prepare()
    assert names(opened) == {*tables.metadata.tables, database.VERSION_TABLE}
    assert differences(opened) == []
    registry = Registry(opened)
    assert registry.runs() == []
    assert registry.import_run(exported)
    assert registry.export_run(RUN) == exported
    opened.close()


def test_a_filled_registry_goes_up_and_down_without_loss(
    registry_url: str, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Registry.open(registry_url) as registry:
        full_run(registry)
        registry.add_run(*a_run("other", tiles=50))
        before = [registry.export_run(run) for run in (RUN, "other")]
        ids = [event.id for event in registry.events()]
    first = database.REVISIONS
    monkeypatch.setattr(database, "MIGRATIONS", later)
    monkeypatch.setattr(database, "REVISIONS", (*first, "9999"))
    with Registry.open(registry_url) as registry:
        assert [registry.export_run(run) for run in (RUN, "other")] == before
        assert [event.id for event in registry.events()] == ids
        with registry._database.read() as connection:
            assert set(connection.exec_driver_sql("SELECT note FROM run").scalars()) == {"demo!"}
        assert differences(registry._database) != []
        with pytest.raises(Exception, match=r"(?i)foreign key"):  # they hold again
            registry.add_products("no-such-run", "mean", [a_product()])
    opened = Database(registry_url)
    with opened.write(begin="PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE") as connection:
        migrate(connection, first[-1])
    assert differences(opened) == []
    opened.close()
    monkeypatch.setattr(database, "REVISIONS", first)
    with Registry.open(registry_url) as registry:
        assert [registry.export_run(run) for run in (RUN, "other")] == before
        assert registry.add_products(RUN, "stack", [a_product()]) == 1


OPEN = """
from pipelines.registry import database
database.MIGRATIONS, database.REVISIONS = Path({later!r}), {revisions!r}
upgraded = []
migrate = database.migrate
database.migrate = lambda connection, revision: (upgraded.append(revision), migrate(connection, revision))
ready()
with Registry.open(url) as r:
    print(len(upgraded), len(r.runs()), len(r.operations()), len(r.events()))
"""


def test_of_processes_that_open_an_older_registry_at_once_one_upgrades_it(
    registry_url: str, later: Path, tmp_path: Path
) -> None:
    with Registry.open(registry_url) as registry:
        registry.add_run(*a_run(tiles=200))
        exported = registry.export_run(RUN)
    script = OPEN.format(later=str(later), revisions=(*database.REVISIONS, "9999"))
    said = race(script, url=registry_url, processes=3, folder=tmp_path)
    assert sorted(line[0] for line in said) == ["0", "0", "1"]
    assert {tuple(line[1:]) for line in said} == {("1", "200", "201")}
    with pytest.raises(StateError, match=r"newer registry schema.*9999"):  # as an older version sees it
        Registry.open(registry_url)
    opened = Database(registry_url)
    assert Registry(opened).export_run(RUN) == exported
    opened.close()


def test_an_upgrade_that_fails_leaves_everything_as_it_was(
    registry_url: str, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Registry.open(registry_url) as registry:
        full_run(registry)
        before = registry.export_run(RUN)
    first, path = database.REVISIONS, later / "versions/9999_later.py"
    path.write_text(
        path.read_text().replace("    time.sleep", "    raise OSError('the machine stops here')\n    time.sleep")
    )
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", later)
        patch.setattr(database, "REVISIONS", (*first, "9999"))
        with pytest.raises(OSError, match="stops here"):
            Registry.open(registry_url)
    with Registry.open(registry_url) as registry:
        assert registry.export_run(RUN) == before
        assert differences(registry._database) == []


def test_an_upgrade_that_loses_what_others_refer_to_is_refused(
    tmp_path: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite foreign keys are off meanwhile, and checked at the end."""
    url = f"sqlite:///{tmp_path}/registry.sqlite"
    with Registry.open(url) as registry:
        full_run(registry)
        before = registry.export_run(RUN)
    first, path = database.REVISIONS, later / "versions/9999_later.py"
    path.write_text(path.read_text().replace("    time.sleep", "    op.execute('DELETE FROM task')\n    time.sleep"))
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", later)
        patch.setattr(database, "REVISIONS", (*first, "9999"))
        with pytest.raises(StateError, match="refer to nothing in task"):
            Registry.open(url)
    with Registry.open(url) as registry:
        assert registry.export_run(RUN) == before
