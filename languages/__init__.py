"""How text is compared, counted and searched, in every language by one rule.

`personas` and `feedback_store` both compare what people wrote, and import nothing else of ours.
What two texts have in common must not depend on who asks, so the rule lives here, below both.
"""
