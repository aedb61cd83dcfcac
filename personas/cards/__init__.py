"""Cards and World Info of other programs, in and out, without loss.

`card_files` reads the containers (`strict_json`, `png`, `charx`), `card` and `world_info` are what
is in them. `draft` makes a character of a card, with `macros`, `example_talk`, `passages` and, for
lorebooks, `book`, `entries` and `book_lore`. `telling` is the other direction. What only other
programs know of a card stays beside the character (`stored_card`), and what only we know of a
character rides in its card (`snapshot`). `character_import`, `character_export` and `world_folder`
do it with folders; `riding_adapter` takes adapters along. Strangers write these files: whatever is
wrong with one is a CardError, and nothing half-imported is left.
"""
