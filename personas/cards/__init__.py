"""Cards and World Info of other programs.

`card_files` reads and writes the containers (`strict_json`, `png`, `charx`), `card` is what is in
them. Texts are taken apart by `macros`, `example_talk` and `passages`, lorebooks by `book` and
`decorators`. Strangers write these files: whatever is wrong with one is a CardError.
"""
