"""`rdmf serve`: search and look at moments in a browser.

sources.py   what is searched: files, or a library
guard.py     which requests are answered (by host and token), and the headers of every answer
pages.py     the pages
app.py       the routes
"""
