"""The page that shows and checks a proof by itself: its data are `verifier.proof_file`.

Everything the page says about evidence is made by its own code from the data it carries, so that
what is read is what was checked; the code is in this package as files, and in the page in full.
"""
