"""PostgreSQL: the only place where anything is remembered. Start with tables.py; jobs.py holds the wake-ups."""
