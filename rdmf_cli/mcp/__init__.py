"""`rdmf mcp`: tools for agents, by the Model Context Protocol over stdin and stdout.

reach.py    which videos the tools may read, and where they may write
results.py  the records that the tools return
tools.py    the tools, as methods of one object
server.py   the server, which publishes the tools and turns errors into tool errors
"""
