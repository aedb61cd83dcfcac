"""From a character's feedback to the rows of a training.

Rows are read (`snapshots`), left out where they prefer what the gate forbids (`forbidden`) and
rendered as they would be served today (`rerender`). `readiness` decides whether there are enough.
`datasets` turns them into token ids, `development` sets some aside to stop early by, and `replay`
chooses earlier good replies to train on again.
"""
