"""Hand-over of moments to other programs: timelines for editors, chapters, cut files.

All formats share one model, `timeline`: videos with their own frame rates and start time codes, and
events in whole frames. Each format is a function from a timeline to text.
"""
