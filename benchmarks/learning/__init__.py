"""The learning benchmark: do characters become what their players want, and stay what they are?"""
