"""First schema: run, task, operation, event, product, lease."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("job", sa.String, nullable=False),
        sa.Column("output", sa.String, nullable=False),
        sa.Column("job_text", sa.Text, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("started", TIME, nullable=False),
        sa.Column("ended", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_index("ix_run_started", "run", ["started"])
    op.create_table(
        "task",
        sa.Column("run", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("line", sa.String),
        sa.Column("backend", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("needs", sa.JSON, nullable=False),
        sa.Column("estimate", sa.JSON, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("run", "name", name="pk_task"),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name="fk_task_run"),
    )
    _create_operation()
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("run", sa.String, nullable=False),
        sa.Column("task", sa.String),
        sa.Column("operation", sa.String),
        sa.Column("time", TIME, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name="fk_event_run"),
        sa.ForeignKeyConstraint(["operation"], ["operation.id"], name="fk_event_operation"),
    )
    op.create_index("ix_event_run_id", "event", ["run", "id"])
    _create_product()
    op.create_table(
        "lease",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("expires", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )


def _create_operation() -> None:
    op.create_table(
        "operation",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("run", sa.String, nullable=False),
        sa.Column("task", sa.String, nullable=False),
        sa.Column("tile", sa.String, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("handle", sa.String),
        sa.Column("wanted", sa.String, nullable=False),
        sa.Column("believed", sa.String, nullable=False),
        sa.Column("engine_state", sa.Text, nullable=False),
        sa.Column("progress", sa.Float),
        sa.Column("usage", sa.JSON, nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("not_before", TIME),
        sa.Column("started", TIME),
        sa.Column("updated", TIME, nullable=False),
        sa.Column("ended", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_operation"),
        sa.ForeignKeyConstraint(["run", "task"], ["task.run", "task.name"], name="fk_operation_run_task"),
        sa.UniqueConstraint("run", "task", "tile", "attempt", name="uq_operation_run_task_tile_attempt"),
        sa.UniqueConstraint("run", "task", "request_id", name="uq_operation_run_task_request_id"),
    )
    op.create_index("ix_operation_believed", "operation", ["believed"])
    op.create_index("ix_operation_key", "operation", ["key"])


def _create_product() -> None:
    op.create_table(
        "product",
        sa.Column("run", sa.String, nullable=False),
        sa.Column("task", sa.String, nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("polarization", sa.String),
        sa.Column("date", sa.String),
        sa.Column("period", sa.String),
        sa.Column("orbit", sa.String),
        sa.Column("zone", sa.String),
        sa.Column("href", sa.Text, nullable=False),
        sa.Column("media_type", sa.String, nullable=False),
        sa.Column("bytes", sa.BigInteger),
        sa.Column("units", sa.String),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.PrimaryKeyConstraint("run", "task", "identity", name="pk_product"),
        sa.ForeignKeyConstraint(["run", "task"], ["task.run", "task.name"], name="fk_product_run_task"),
    )
