"""What a character remembers of a player: found in what they say, kept by rule, told in time.

`tellings` finds what a line tells of its speaker, `facts` keeps the newest word on each topic,
`recall` chooses what helps with the next line.
"""
