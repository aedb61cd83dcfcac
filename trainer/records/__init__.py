"""What was trained and how it ended: a folder per run (`runs`), its files' contents (`entries`),
shown in the terminal (`run_tables`) and as a page (`report`)."""
