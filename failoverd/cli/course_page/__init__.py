"""What came of a scenario as a page: `whole_page.page` makes text of courses, and asks nothing of anybody.

A picture is as wide as its reader's screen, and its words stay as large as they are: what is drawn lies in a coordinate
system of its own, `WIDE` by `HIGH`, which is stretched; words, marks and lines at right angles are placed in percent.
"""
