"""Alembic's entry: run the migrations on the connection that :mod:`backend.store.database` hands over."""

from alembic import context

from backend.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
