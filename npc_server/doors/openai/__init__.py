"""The door for clients of OpenAI's chat completions: `model` is the character."""
