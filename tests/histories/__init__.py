"""Golden journals: runs as they were recorded by each released version, and what they add up to.

Every later version folds them to the same end, for ever: see tests/histories/test_histories_kept.py.
"""
