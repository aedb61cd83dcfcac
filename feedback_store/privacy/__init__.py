"""Personal data out of players' words (`redaction`), and players under another name
(`pseudonyms`). Text that comes in passes through here before anybody uses or keeps it."""
