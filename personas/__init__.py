"""What a character is, on disk.

Three YAML files make a persona (`persona`), one renderer turns it into the token ids that are
trained on and served (`render`), plain checks read a reply (`checks`), and the adapter versions
of each character live in a folder of immutable versions (`adapter_repo`). The package imports
none of our other packages and no model library.
"""
