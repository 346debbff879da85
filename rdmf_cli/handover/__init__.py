"""Hand moments over to the next tool: timelines of editors, chapters, cut files.

`timeline` is the one model of all formats: videos with their own frame rates and start time codes,
and events in whole frames. Each format is a function from a timeline to text.
"""
