"""What was trained and how it ended: a folder of files per run (`runs`), shown in the terminal
(`run_tables`) and as a page (`report`)."""
