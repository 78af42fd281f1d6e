"""Alembic's entry: runs the migrations on the connection that ``recovery.storage.migrate`` hands over."""

from alembic import context

from recovery.storage.mail_tables import emails

context.configure(connection=context.config.attributes["connection"], target_metadata=emails.metadata)
with context.begin_transaction():
    context.run_migrations()
