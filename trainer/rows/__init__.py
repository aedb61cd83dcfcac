"""From a character's feedback to what a training sees.

The rows are read (`snapshots`), rendered as they would be served today (`rerender`) and left out
where they teach what the gate forbids (`forbidden`). `readiness` tells whether there are enough.
`datasets` turns them into token ids, `development` sets some aside to stop early by.
"""
