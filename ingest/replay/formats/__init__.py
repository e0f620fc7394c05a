"""One module a format. A format is found by being here: there is no list to keep.

Each module says NAME (the word on the command line), FEED, TITLE, and items(path, options).
"""
