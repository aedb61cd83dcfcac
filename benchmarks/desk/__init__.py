"""The designer's desk: what memory holds, and what it costs."""
