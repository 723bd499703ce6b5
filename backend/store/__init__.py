"""What the service keeps: one ``jobs`` table in SQLite or PostgreSQL, through SQLAlchemy and Alembic."""
