"""The explorer: a page that draws what the verbs say, and the server on this machine that it asks.

What to read first: `app.py` lists every route; `security.py` says who may call them, `limits.py` how much they may ask.
The page is `static/`: plain modules, no build step; the law's own JavaScript is evaluated there, over all draws.
"""
