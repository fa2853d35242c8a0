"""Alembic's entry: runs the migrations on the connection that `database` hands over, inside its transaction."""

from alembic import context

from pipelines.registry.database import VERSION_TABLE
from pipelines.registry.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
