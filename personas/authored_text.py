"""Text that people write with their own editors: UTF-8, with or without a byte order mark."""

from __future__ import annotations

import codecs

_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",  # first: it begins like UTF-16
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class NotUtf8Error(ValueError):
    """A file is not UTF-8 text."""

    def __init__(self, line: int, what: str) -> None:
        self.line, self.what = line, what  # 0 = of the whole file
        super().__init__(what)


def text_of(content: bytes) -> str:
    """The text of a file, without its byte order mark. Raises NotUtf8Error."""
    for mark, name in _WIDE.items():
        if content.startswith(mark):
            raise NotUtf8Error(0, f"{name} text; save the file as UTF-8")
    if b"\0" in content[:4]:  # the first letters of UTF-16 without its mark
        raise NotUtf8Error(0, "UTF-16 text or no text at all; save the file as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        raise NotUtf8Error(line, "not UTF-8 text; save the file as UTF-8") from error
