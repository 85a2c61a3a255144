"""What was said, how, and how it was answered: tables, migrations, the store."""
